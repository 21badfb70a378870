// While a hand drags: one request in flight, the newest waiting, those between them never sent. What is
// answered is drawn; nothing queues up.

export function newestOnly(send, answered, failed) {
  let busy = false;
  let waiting = null;
  let seq = 0;
  const next = async () => {
    if (busy || !waiting) return;
    const job = waiting;
    waiting = null;
    busy = true;
    try {
      const answer = await send(job, ++seq);
      if (answer) answered(answer, job);
    } catch (problem) {
      failed(problem, job);
    } finally {
      busy = false;
      next();
    }
  };
  return {
    push(job) {
      waiting = job;
      next();
    },
    get idle() {
      return !busy && !waiting;
    },
  };
}
