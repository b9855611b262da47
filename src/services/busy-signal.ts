/** Tells when replies are being written, so that others can step back meanwhile. */
import type { Generator } from './generation-types.ts'

/** The same generator; `onChange` hears true when the first reply begins and false when the last one ends. */
export function withBusySignal(generator: Generator, onChange: (busy: boolean) => void): Generator {
  let running = 0
  const begin = (): void => {
    running += 1
    if (running === 1) onChange(true)
  }
  const end = (): void => {
    running -= 1
    if (running === 0) onChange(false)
  }
  return {
    async *stream(request, signal) {
      begin()
      try {
        yield* generator.stream(request, signal)
      } finally {
        end()
      }
    },
    async complete(request, signal) {
      begin()
      try {
        return await generator.complete(request, signal)
      } finally {
        end()
      }
    },
  }
}
