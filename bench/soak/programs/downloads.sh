# curl and wget from a server of python3's on loopback, several at once.
needs curl python3
mkdir site
for i in $(seq 30); do seq "$i" $((i * 3000)) >"site/$i"; done
cat >serve.py <<'CODE'
import functools, http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory="site"))
print(server.server_address[1], flush=True)
server.serve_forever()
CODE
mkfifo port
python3 serve.py >port 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
read -r port <port
curl --no-progress-meter -Z --parallel-max 4 "http://127.0.0.1:$port/[1-30]" -o 'curl-#1'
cat curl-* | sha256sum
curl -s --fail "http://127.0.0.1:$port/missing" || echo "exit $?"
if command -v wget >/dev/null; then
  wget -q -P wget $(for i in $(seq 30); do echo "http://127.0.0.1:$port/$i"; done)
  cat wget/* | sha256sum
fi
