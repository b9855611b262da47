/** Tells when replies are being written, so that others can step back meanwhile. */
import type { Generator } from './generation-types.ts'

/** A reader that takes nothing for so long has paused the reply, which then keeps nobody from working. */
const defaultAwayMs = 1000

/** The same generator; `onChange` hears true when the first reply begins and false when the last one ends. */
export function withBusySignal(
  generator: Generator,
  onChange: (busy: boolean) => void,
  awayMs = defaultAwayMs,
): Generator {
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
        for await (const event of generator.stream(request, signal)) {
          let isAway = false
          const timer = setTimeout(() => {
            isAway = true
            end()
          }, awayMs)
          try {
            yield event
          } finally {
            clearTimeout(timer)
            if (isAway) begin()
          }
        }
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
