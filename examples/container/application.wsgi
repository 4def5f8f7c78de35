"""What mod_wsgi and uWSGI load: as gunicorn does, logging from one file, the site from another."""

from logging.config import fileConfig

from paste.deploy import loadapp

fileConfig("/etc/shop/application.ini")
application = loadapp("config:/etc/shop/site.ini")
