/** Several streams as one, in the order in which their items come. Owns no cancellation: abort the sources. */

/** Fails as soon as one source fails; the others are left to the caller's abort signal. */
export async function* mergeStreams<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]())
  const step = (index: number): Promise<{ index: number; result: IteratorResult<T> }> => {
    const next = iterators[index]!.next().then((result) => ({ index, result }))
    next.catch(() => {}) // a reader that leaves does not wait for what it asked for ahead
    return next
  }
  const waiting = new Map(iterators.map((_, index) => [index, step(index)]))
  while (waiting.size > 0) {
    const { index, result } = await Promise.race(waiting.values())
    if (result.done) {
      waiting.delete(index)
    } else {
      waiting.set(index, step(index))
      yield result.value
    }
  }
}
