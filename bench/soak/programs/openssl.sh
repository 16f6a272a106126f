# openssl: keys, certificates, digests, ciphers, and a speed run whose figures are left out.
needs openssl
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key 2>/dev/null
openssl req -new -x509 -key key -subj /CN=soak -days 1 -out certificate
openssl verify -CAfile certificate certificate
seq 100000 >data
for digest in md5 sha1 sha256 sha512 sha3-256 blake2b512; do openssl dgst "-$digest" data; done
for cipher in aes-256-cbc aes-128-ctr chacha20; do
  openssl enc "-$cipher" -pbkdf2 -S 0011223344556677 -k secret -in data | sha256sum
done
openssl dgst -sha256 -sign key -out signature data
openssl dgst -sha256 -verify <(openssl pkey -in key -pubout) -signature signature data
openssl speed -seconds 1 -bytes 1024 -multi 2 sha256 >speed 2>&1
openssl x509 -in nothing 2>/dev/null || echo "exit $?"
