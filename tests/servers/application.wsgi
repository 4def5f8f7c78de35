"""What mod_wsgi loads: Pyramid's recipe."""

import os

from pyramid.paster import get_app, setup_logging

ini = os.environ["INI"]
setup_logging(ini)
application = get_app(ini)
