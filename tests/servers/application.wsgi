"""What mod_wsgi loads: Pyramid's recipe."""

from pathlib import Path

from pyramid.paster import get_app, setup_logging

ini = str(Path(__file__).with_name("matrix.ini"))
setup_logging(ini)
application = get_app(ini)
