/**
 * Stop strings in a stream of text pieces: text before the first stop comes out, the stop and all after it
 * does not, and text that may be the beginning of a stop waits.
 */

export interface StopMatcher {
  /** The text that is safe to show. After `stopped`, every further push gives ''. */
  push(text: string): { text: string; stopped: boolean }
  /** The text that waited, when the stream ends without a stop. */
  flush(): string
}

/** Empty stop strings are ignored. Of stops that match, the one that begins first wins. */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const wanted = stops.filter((stop) => stop !== '')
  let waiting = ''
  let stopped = false
  return {
    push(text) {
      if (stopped) return { text: '', stopped }
      const all = waiting + text
      const at = firstStop(all, wanted)
      if (at >= 0) {
        stopped = true
        waiting = ''
        return { text: all.slice(0, at), stopped }
      }
      const safe = all.length - longestBeginning(all, wanted)
      waiting = all.slice(safe)
      return { text: all.slice(0, safe), stopped }
    },
    flush() {
      const rest = waiting
      waiting = ''
      return rest
    },
  }
}

function firstStop(text: string, stops: readonly string[]): number {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
  return found.length === 0 ? -1 : Math.min(...found)
}

/** The length of the longest end of `text` that is a proper beginning of a stop. */
function longestBeginning(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (stop.startsWith(text.slice(text.length - length))) longest = length
    }
  }
  return longest
}
