# nginx with two worker processes under load from two clients at once; a reload in between, workers that end in grace, a
# stop. Compared: what the clients received. The port is whatever python3 finds free.
needs nginx python3 curl
mkdir -p site logs temporary
for i in $(seq 50); do seq "$((i * 10))" $((i * 200)) >"site/$i.txt"; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >nginx.conf <<CONF
worker_processes 2;
daemon off;
pid $PWD/pid;
error_log $PWD/logs/error.log;
events { worker_connections 256; }
http {
  access_log $PWD/logs/access.log;
  client_body_temp_path $PWD/temporary/body; proxy_temp_path $PWD/temporary/proxy;
    fastcgi_temp_path $PWD/temporary/fastcgi;
  uwsgi_temp_path $PWD/temporary/uwsgi; scgi_temp_path $PWD/temporary/scgi;
  gzip on; gzip_types text/plain; gzip_min_length 100;
  server {
    listen 127.0.0.1:$port;
    location / { root $PWD/site; autoindex on; }
    location /again/ { proxy_pass http://127.0.0.1:$port/; proxy_buffers 4 4k; }
  }
}
CONF
# Workers that were root become nobody, who must get in here.
chmod 755 . site
chmod 777 temporary
nginx -p "$PWD" -c "$PWD/nginx.conf" -t -q 2>test.log
nginx -p "$PWD" -c "$PWD/nginx.conf" >out.log 2>&1 &
server=$!
trap 'kill -9 $server 2>/dev/null || true' EXIT
until curl -s -o reply "http://127.0.0.1:$port/1.txt"; do kill -0 $server; pause; done
load() {
  for turn in 1 2 3; do
    local urls=() from=http://127.0.0.1:$port
    for i in $(seq 50); do urls+=("$from/$i.txt" "$from/again/$i.txt" "$from/missing$i"); done
    curl -s --compressed "${urls[@]}" | sha256sum
  done
}
load >first &
one=$!
load >second
wait $one
cat first second
kill -HUP $server
load
kill -QUIT $server
wait $server
cut -d'"' -f3 logs/access.log | awk '{ print $1 }' | sort | uniq -c
grep -acE '\[(alert|crit|emerg)\]' logs/error.log || true
