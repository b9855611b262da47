/** Asynchronous work over a list, some items at a time. */

export interface ConcurrencyOptions {
  /** Items in flight. */
  readonly concurrency: number
  readonly signal?: AbortSignal
}

/** Results in the order of the items. After a failure or an abort no further item is begun. */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  { concurrency, signal }: ConcurrencyOptions,
): Promise<R[]> {
  const results = Array.from<R>({ length: items.length })
  const waiting = items.entries()
  let failed = false
  const worker = async () => {
    for (const [i, item] of waiting) {
      signal?.throwIfAborted()
      if (failed) return
      results[i] = await work(item, i)
    }
  }
  const careful = async () => {
    try {
      await worker()
    } catch (error) {
      failed = true
      throw error
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, careful))
  return results
}
