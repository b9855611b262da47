/** Events in the player's own words: lists of words and phrases, whole words only, in any case. */

/** The events that a message raises, each once, in the order of their declaration. */
export type Detector = (message: string) => string[]

export function createDetector(
  lists: readonly { readonly event: string; readonly any: readonly string[] }[],
): Detector {
  const patterns = lists.map(({ event, any }) => ({ event, pattern: phrasePattern(any) }))
  return (message) => {
    const text = message.normalize('NFKC')
    const raised = patterns.filter(({ pattern }) => pattern.test(text)).map(({ event }) => event)
    return [...new Set(raised)]
  }
}

/** A word ends where no letter or digit follows, in any script. */
function phrasePattern(phrases: readonly string[]): RegExp {
  const sources = phrases.map((phrase) =>
    phrase
      .normalize('NFKC')
      .trim()
      .split(/\s+/)
      .map((part) => part.replace(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`))
      .join(String.raw`\s+`),
  )
  return new RegExp(String.raw`(?<![\p{L}\p{N}])(?:${sources.join('|')})(?![\p{L}\p{N}])`, 'iu')
}
