"""gunicorn's settings in the container; its command line and GUNICORN_CMD_ARGS win over them."""

bind = "0.0.0.0:8080"

# One process in each pod, so that what a probe is told holds for the pod; for more, add pods. A
# check that hangs holds one of the threads.
worker_class = "gthread"
workers = 1
threads = 8

# After SIGTERM, the requests that are going on get so many seconds. Together with preStop's sleep,
# that has to be less than terminationGracePeriodSeconds.
graceful_timeout = 30
# Longer than the proxy keeps idle connections (ingress-nginx: 60), which would otherwise now and
# then send a request on a connection that is being closed.
keepalive = 75

# The root file system is read-only.
worker_tmp_dir = "/tmp"
control_socket_disable = True

# The logging sections are not in the file that --paste names. gunicorn's own access log stays off:
# ours has one record for each request, with its id.
logconfig = "/etc/shop/application.ini"
accesslog = None
