/** The jobs of a pipeline in the order they run. `jobs` are newest first, as the API lists them. */

/** Each after those it waits for. */
export function inOrder(jobs) {
  const placed = new Map()
  const place = (job) => {
    if (placed.has(job.id)) return
    for (const other of jobs) if (job.after.includes(other.id)) place(other)
    placed.set(job.id, job)
  }
  for (const job of jobs.toReversed()) place(job)
  return [...placed.values()]
}
