# numpy, a large C extension with its own allocation cache and BLAS threads; run.sh keeps it in bench/out/soak/venv.
python=$SOAK_ROOT/bench/out/soak/venv/bin/python
[ -x "$python" ] && "$python" -c 'import numpy' 2>/dev/null ||
  skip "no numpy: bench/soak/run installs it into bench/out/soak/venv where pip can"
"$python" - <<'CODE'
import threading
import numpy as np
random = np.random.default_rng(7)
a = random.standard_normal((300, 300))
print(round(float(np.linalg.norm(a @ a.T)), 3), round(float(np.linalg.det(a[:20, :20])), 3),
      np.linalg.svd(a)[1][:3].round(6))
text = np.array([f"word {i % 700}" for i in range(50000)])
print(np.unique(text).size, np.sort(text)[-1], np.fft.fft(np.arange(4096.0)).sum().round(3))
out = [None] * 6
def work(i):
    x = np.arange(200_000, dtype=np.int64) * i
    for _ in range(20): x = np.sort(x[::-1].copy())
    out[i] = int(x.sum())
threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
for t in threads: t.start()
for t in threads: t.join()
print(out, np.array([object() for _ in range(1000)], dtype=object).size)
CODE
