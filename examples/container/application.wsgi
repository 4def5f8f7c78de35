"""What mod_wsgi loads."""

from logging.config import fileConfig

from paste.deploy import loadapp

fileConfig("/etc/shop/application.ini")
application = loadapp("config:/etc/shop/site.ini")
