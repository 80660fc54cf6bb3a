"""Side-by-side timing of every peer. Each peer is one process; they are set up one after another, checked against
reference.json (whole programs against torch in f64), then timed in interleaved rounds while this process holds the
machine's bench lock. See README.md."""
import argparse, fcntl, json, os, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser()
ap.add_argument("--out", default=os.path.join(tempfile.gettempdir(), "rivals.jsonl"))
ap.add_argument("--build", nargs="*", help="build the Rust peers (or the named ones) first")
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--dtypes", default="f32,f64")
ap.add_argument("--peers", default="wengert,torch,jax,autograd,candle,burn-flex,burn-nd,rust-autograd,dfdx")
ap.add_argument("--work", default="W1,W2,W3,W4,W5,W6_64,W6_256,W6_1024,W7,W8,W8f,W9,W9f,W10")
ap.add_argument("--rounds", type=int, default=5)
ap.add_argument("--budget", type=float, default=0.2)
ap.add_argument("--peak", action="store_true", help="measure peak memory (fresh process per workload) instead of time")
ap.add_argument("--bin", default=os.path.join(HERE, "target"), help="folder of the cargo target dirs t-NAME")
ap.add_argument("--lock", default=os.path.join(tempfile.gettempdir(), "bench.lock"))
ap.add_argument("--adbench", nargs="?", const="middle", help="instead of --work: ADBench's instances of middle size, "
                "or those named; objective, gradient and the ratio of the two, ours and torch's, in f64")
ap.add_argument("--programs", nargs="?", const="all", help="instead of --work: the whole programs of programs.txt, or those "
                "named; ours, torch's and JAX's")
A = ap.parse_args()
MIDDLE = """gmm_d2_K5_n1000 gmm_d2_K200_n1000 gmm_d10_K5_n1000 gmm_d10_K10_n1000 gmm_d10_K200_n1000 gmm_d20_K10_n1000
    gmm_d32_K10_n1000 gmm_d64_K5_n1000 gmm_d128_K5_n1000 lstm_l2_c1024_b14 lstm_l4_c1024_b14 ba_n21_m1131_p3645
    ba_n49_m7776_p31843 hand_v544_c100_simple hand_v544_c100_complicated hand_v544_c800_complicated""".split()
if A.adbench:
    instances = MIDDLE if A.adbench == "middle" else A.adbench.split(",")
    A.work = ",".join(name + mode for name in instances for mode in ("", "/objective", "/plain"))
    A.dtypes, A.peers = "f64", "wengert,torch"
if A.programs:
    sys.path.insert(0, f"{HERE}/py")
    import programs
    chosen = list(programs.TABLE) if A.programs == "all" else A.programs.split(",")
    if unknown := [name for name in chosen if name not in programs.TABLE]:
        ap.error(f"not in programs.txt: {', '.join(unknown)}")
    A.work, A.peers = ",".join(chosen), "wengert,torch,jax"

PY = lambda n: [sys.executable, f"{HERE}/py/peer_{n}.py"]
RS = lambda n, *a, t="release": [f"{A.bin}/t-{n}/{t}/peer-{n}", *a]
if A.build is not None:
    for name in A.build or ["wengert", "candle", "burn", "rust-autograd", "dfdx"]:
        subprocess.run(["cargo", "build", "--release"], cwd=f"{HERE}/{name}", check=True,
                       env=dict(os.environ, CARGO_TARGET_DIR=f"{A.bin}/t-{name}"))


def installed(command):
    """Whether a peer can be started here: its program is built, or its package can be imported."""
    if command[0] != sys.executable:
        return os.path.exists(command[0])
    package = os.path.basename(command[1]).removeprefix("peer_").removesuffix(".py")
    return subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True).returncode == 0


PEERS = {
    "wengert": RS("wengert"), "wengert-debug": RS("wengert", t="debug"),
    "torch": PY("torch"), "torch-compile": PY("torch"), "jax": PY("jax"), "autograd": PY("autograd"),
    "candle": RS("candle"), "candle-native": [f"{A.bin}/n-candle/release/peer-candle"],
    "burn-flex": RS("burn", "flex"), "burn-nd": RS("burn", "ndarray"),
    "burn-flex-min": [f"{A.bin}/m-burn/release/peer-burn", "flex"], "burn-nd-min": [f"{A.bin}/m-burn/release/peer-burn", "ndarray"],
    "rust-autograd": RS("rust-autograd"), "dfdx": RS("dfdx"),
}
T = str(A.threads)
ENV = dict(os.environ, THREADS=T, OMP_NUM_THREADS=T, MKL_NUM_THREADS=T, OPENBLAS_NUM_THREADS=T, RAYON_NUM_THREADS=T,
           MATMUL_NUM_THREADS=T, JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3")


class Peer:
    def __init__(self, name):
        pin = ["taskset", "-c", "1"] if A.threads == 1 else []  # one core for every thread of the peer
        env = dict(ENV, TORCH_COMPILE="1") if name == "torch-compile" else dict(ENV)
        if name.endswith("+keep"):  # glibc malloc never gives memory back: shows what page faults cost a peer
            name = name[:-5]
            env.update(MALLOC_MMAP_THRESHOLD_="4000000000", MALLOC_TRIM_THRESHOLD_="20000000000", MALLOC_TOP_PAD_="67108864")
        t = time.perf_counter()
        self.p = subprocess.Popen(pin + PEERS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, env=env, start_new_session=True)
        self.ready = json.loads(self.p.stdout.readline())
        self.start_s = time.perf_counter() - t

    def ask(self, line):
        try:
            self.p.stdin.write(line + "\n"); self.p.stdin.flush()
            return json.loads(self.p.stdout.readline())
        except Exception as e:
            return {"ok": 0, "err": "died " + type(e).__name__}

    def faults(self):
        return int(open(f"/proc/{self.p.pid}/stat").read().rsplit(")", 1)[1].split()[7])

    def prio(self, n):
        """Weight of the peer's own session against the other users of this machine, who build at low priority.
        Plain nice does nothing across sessions where the kernel groups tasks by session (sched_autogroup)."""
        try:
            with open(f"/proc/{self.p.pid}/autogroup", "w") as f:
                f.write(str(n))
        except OSError:
            pass

    def close(self):
        try:
            self.p.stdin.close(); self.p.wait(5)
        except Exception:
            self.p.kill()


def close_enough(ref, got, dt):
    """Relative to each gradient's norm (at least 1e-3 of the largest: the key bias of softmax attention has gradient 0)."""
    tol = 2e-3 if dt == "f32" else 1e-6
    worst = abs(ref["loss"] - got["loss"]) / max(1.0, abs(ref["loss"]))
    if len(ref["grads"]) != len(got["grads"]):
        return False, float("inf")
    floor = 1e-3 * max(n for _, n in ref["grads"])
    for (d0, n0), (d1, n1) in zip(ref["grads"], got["grads"]):
        s = max(n0, floor)
        worst = max(worst, abs(n1 - n0) / s, abs(d1 - d0) / (s * 3))
    return worst <= tol, worst


ref_path = f"{HERE}/reference.json"
REF = json.load(open(ref_path)) if os.path.exists(ref_path) else {}
out = open(A.out, "a")
names = [n for n in A.peers.split(",") if installed(PEERS[n.removesuffix("+keep")])]
names.sort(key=lambda n: n != "torch")  # it says what is right where reference.json does not yet
print("peers:", ", ".join(names), flush=True)
peers = {} if A.peak else {n: Peer(n) for n in names}
times = {}
if A.programs and "torch" not in names:
    sys.exit("--programs needs torch, which says what is right")
oracle = Peer("torch") if A.programs else None
for w in A.work.split(","):
    if oracle:
        right = oracle.ask(f"setup {w} f64")
        REF[w] = right["check"] if right.get("ok") else sys.exit(f"{w} in torch: {right.get('err')}")
    key = {"W8f": "W8", "W9f": "W9", "W7p": "W7"}.get(w, w.partition("/")[0])
    for dt in A.dtypes.split(","):
        live, info = [], {}
        for n in names:
            if A.peak:
                peers[n] = Peer(n)
            r = peers[n].ask(f"setup {w} {dt}")
            if r.get("ok"):
                if key not in REF and n == "torch" and dt == "f64":
                    REF[key] = r["check"]
                    json.dump(REF, open(ref_path, "w"), indent=0)
                ok, err = close_enough(REF[key], r["check"], dt)
                info[n] = {"setup_s": r["setup_s"], "err": err, "verified": ok}
                if A.peak and ok:
                    m = peers[n].ask("peak")
                    info[n]["peak_mb"] = (m["peak_kb"] - m["base_kb"]) / 1024
                    info[n]["base_mb"] = m["base_kb"] / 1024
                elif ok:
                    live.append(n)
            else:
                info[n] = {"verified": False, "why": r.get("err")}
                if "died" in str(r.get("err")) and not A.peak:
                    peers[n] = Peer(n)
            if A.peak:
                peers[n].close()
        if live:
            meds = {n: [] for n in live}
            mins = {n: [] for n in live}
            with open(A.lock, "w") as lk:
                fcntl.flock(lk, fcntl.LOCK_EX)
                t0 = time.time()
                for k in range(A.rounds):
                    if time.time() - t0 > 45:
                        break
                    for n in live:
                        peers[n].prio(-20)
                        f0 = peers[n].faults()
                        r = peers[n].ask(f"time {A.budget}")
                        peers[n].prio(0)
                        if "med" in r:
                            info[n]["faults_per_step"] = (peers[n].faults() - f0) // (r["n"] + 1)
                            meds[n].append(r["med"]); mins[n].append(r["min"])
            for n in live:
                if meds[n]:
                    info[n].update(med_ns=statistics.median(meds[n]), best_med_ns=min(meds[n]), min_ns=min(mins[n]), rounds=len(meds[n]))
        times[w, dt] = {n: v["best_med_ns"] / 1e6 for n, v in info.items() if "best_med_ns" in v}
        row = {"w": w, "dt": dt, "threads": A.threads, "load": os.getloadavg()[0], "peers": info,
               "start_s": {n: round(p.start_s, 3) for n, p in peers.items()}}
        out.write(json.dumps(row) + "\n"); out.flush()
        f = lambda v: f"{v['peak_mb']:.1f}MB" if "peak_mb" in v else f"{v['best_med_ns'] / 1e3:.1f}us" if "med_ns" in v else ("BAD %.1e" % v["err"] if "err" in v else "-")
        print(w, dt, T + "T", " ".join(f"{n}={f(v)}" for n, v in info.items()), flush=True)
for p in [*peers.values(), *filter(None, [oracle])]:
    p.close()

if A.adbench:
    print("\ngradient / objective, in ms; own: over one's own objective; plain: over the objective in plain numbers; torch: over torch's gradient")
    for name in instances:
        at = lambda mode, peer: times[name + mode, "f64"].get(peer, float("nan"))
        mine, its, plain = (at("", "wengert"), at("/objective", "wengert")), (at("", "torch"), at("/objective", "torch")), at("/plain", "wengert")
        show = lambda who, t: f"{who} {t[0]:8.3f} / {t[1]:8.3f} = {t[0] / t[1]:5.2f} own, {t[0] / plain:6.2f} plain"
        print(f"{name:28} {show('wengert', mine)} | {show('torch', its)} | {mine[0] / its[0]:5.2f} torch")

if A.programs and not A.peak:
    dtypes = A.dtypes.split(",")
    print("\ntime of wengert in ms, and its ratio to torch's and to jax's: below 1 is faster")
    print(f"{'':44}" + "".join(f"{dt:>12} {'torch':>6} {'jax':>6}" for dt in dtypes))
    for name in chosen:
        row = ""
        for dt in dtypes:
            own, over = times[name, dt].get("wengert", float("nan")), lambda peer: own / times[name, dt].get(peer, float("nan"))
            row += f"{own:12.4f} {over('torch'):6.2f} {over('jax'):6.2f}"
        print(f"{programs.TABLE[name][0]:44}" + row)
