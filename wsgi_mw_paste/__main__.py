"""``python -m wsgi_mw_paste``: the command ``wsgi-mw-paste`` where scripts are not on the path."""

import sys

from wsgi_mw_paste.command.cli import main

if __name__ == "__main__":
    sys.exit(main())
