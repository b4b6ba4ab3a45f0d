// Two `Peer`s of the call page in one page, joined by a channel that delays and loses what they say, while one or the other
// is loaded anew or loses its exchange. `peer`: the address of the module. Answers what did not end well.

async ({ peer, seeds }) => {
  /// So much faster than in life the page's patience runs out, and all that happens here happens.
  const HASTE = 20;
  /// How long the two may take to find each other, once nothing happens to them any more.
  const DEADLINE = 40_000;
  const later = window.setTimeout.bind(window);
  window.setTimeout = (work, after) => later(work, after / HASTE);
  const { Peer } = await import(peer);

  /// The same numbers for the same seed (mulberry32).
  function chances(seed) {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  function picture() {
    const canvas = Object.assign(document.createElement("canvas"), { width: 16, height: 16 });
    canvas.getContext("2d").fillRect(0, 0, 16, 16);
    return canvas.captureStream(5);
  }

  const sleep = (milliseconds) => new Promise((resolve) => later(resolve, milliseconds / HASTE));
  const session = (description) => /^o=\S+ (\S+)/m.exec(description?.sdp ?? "")?.[1];

  async function play(seed) {
    const chance = chances(seed);
    const between = (least, most) => least + chance() * (most - least);
    const log = [];
    const began = performance.now();
    const note = (text) => log.push(`${Math.round((performance.now() - began) * HASTE)} ${text}`);
    // How the line is: at once, slow, slower than either waits for an answer; and how many descriptions it loses.
    const slowness = [0, 500, 3000, 6000, 12_000][Math.floor(chance() * 5)];
    let toLose = Math.floor(chance() * 4);
    const sides = [true, false].map((polite) => ({
      name: polite ? "guest" : "host", polite, makes: 0, isThere: false, hears: false,
      stream: chance() < 0.3 ? new MediaStream() : picture(),
    }));
    const other = (side) => sides.find((one) => one !== side);

    // What the service knows is told to each in its own time, as it is then.
    const look = (side, after = between(0, 1000)) => {
      const { page } = side;
      later(() => {
        if (side.page !== page || !side.isThere) return;
        side.hears = true;
        const peer = other(side);
        const state = { peerPresent: peer.isThere, peerConnectionId: peer.id ?? "" };
        const before = side.known;
        side.known = JSON.stringify(state);
        if (before !== side.known) side.page.stands(state);
      }, after / HASTE);
    };
    const appear = (side) => {
      side.isThere = true;
      side.hears = false;
      side.known = null;
      look(side);
      look(other(side));
    };
    const vanish = (side) => {
      side.isThere = false;
      side.hears = false;
      look(other(side));
    };
    // What one page says arrives in order, at whoever is at the other side by then.
    const carry = (from, signal) => {
      if (!from.hears) return;
      const to = other(from);
      const kind = signal.description?.type ?? "candidate";
      if (signal.description && toLose > 0 && chance() < 0.4) {
        toLose -= 1;
        note(`${from.name}: ${kind} is lost`);
        return;
      }
      const { line } = from;
      line.free = Math.max(line.free, performance.now() + between(slowness / 2, slowness) / HASTE);
      const text = JSON.stringify(signal);
      later(() => {
        if (!to.hears) return;
        if (signal.description) note(`${to.name} hears ${kind}`);
        to.page.hear(JSON.parse(text));
      }, line.free - performance.now());
    };
    const open = (side) => {
      side.makes += 1;
      side.line = { free: 0 };
      side.id = `${side.name} ${side.makes}`;
      note(`${side.id} opens`);
      const page = new Peer({
        polite: side.polite, iceServers: [], stream: side.stream, heard: () => {},
        say: (signal) => side.page === page && carry(side, signal),
        told: (state) => side.page === page && note(`${side.name} is ${state}`),
      });
      side.page = page;
      appear(side);
    };

    open(sides[0]);
    await sleep(between(0, 3000));
    open(sides[1]);
    for (let left = Math.floor(chance() * 4); left > 0; left -= 1) {
      await sleep(between(0, 9000));
      const side = sides[Math.floor(chance() * 2)];
      const closes = chance() < 0.5;
      note(`${side.name} ${closes ? "closes" : "breaks off"}`);
      if (closes) side.page.close();
      else side.page.lost();
      vanish(side);
      await sleep(between(0, 4000));
      if (closes) open(side);
      else appear(side);
    }

    // Each is connected, and to what the other has now.
    const isDone = () => sides.every((side) => {
      const [own, theirs] = [side.page.connection, other(side).page.connection];
      return own?.connectionState === "connected" && own.signalingState === "stable"
        && session(own.remoteDescription) === session(theirs?.localDescription);
    });
    const deadline = performance.now() + DEADLINE;
    while (!isDone() && performance.now() < deadline) await sleep(500);
    const failed = isDone() ? null : {
      seed, slowness, log,
      sides: sides.map(({ name, page: { connection: at } }) => `${name}: ${at?.connectionState}, ${at?.signalingState}`),
    };
    for (const side of sides) side.page.close();
    return failed;
  }

  const failed = await Promise.all(seeds.map(play));
  return failed.filter((one) => one !== null);
};
