"""An OpenID provider on that port of loopback, until it is ended."""

import signal
import sys

import oidc_provider_mock

with oidc_provider_mock.run_server_in_thread(port=int(sys.argv[1])):
    print("ready", flush=True)
    signal.pause()
