/**
 * Prompt lookup (Saxena 2023): when the last tokens of a text stood in it before, what followed them then is a guess at
 * what follows now. Costs a search over integers, no second model; a run of the model then checks the whole guess.
 */

/** Lengths of what must be equal, the surest first. */
const MATCHES = [4, 3, 2]

const FIRST_GUESS = 4
const MOST = 16
/** Tokens without a guess after one that was wrong at once; doubles with each more. */
const FIRST_PAUSE = 4
const LONGEST_PAUSE = 64

/** The text of one stream and how good the guesses were. */
export class NgramDraft {
  readonly #tokens: Int32Array
  #length: number
  #guess = FIRST_GUESS
  #pause = 0
  #nextPause = FIRST_PAUSE

  constructor(prompt: readonly number[], maxTokens: number) {
    this.#tokens = new Int32Array(prompt.length + maxTokens)
    this.#tokens.set(prompt)
    this.#length = prompt.length
  }

  /** Records a token of the reply. */
  push(token: number): void {
    this.#tokens[this.#length] = token
    this.#length += 1
    if (this.#pause > 0) this.#pause -= 1
  }

  /** At most `most` tokens that may come next; none when nothing speaks for any, or guesses were wrong lately. */
  propose(most: number): number[] {
    if (this.#pause > 0) return []
    const count = Math.min(most, this.#guess)
    for (const width of MATCHES) {
      const at = this.#findEarlier(width)
      if (at >= 0) return Array.from(this.#tokens.subarray(at, Math.min(at + count, this.#length)))
    }
    return []
  }

  /** Tells how much of a guess was right: longer guesses after good ones, a pause after one that was all wrong. */
  judge(proposed: number, right: number): void {
    if (right === 0) {
      this.#pause = this.#nextPause
      this.#nextPause = Math.min(LONGEST_PAUSE, this.#nextPause * 2)
      this.#guess = FIRST_GUESS
      return
    }
    this.#nextPause = FIRST_PAUSE
    this.#guess = right === proposed ? Math.min(MOST, this.#guess * 2) : Math.max(2, right + 1)
  }

  /** Where the latest earlier place ends at which the last `width` tokens stand; −1 for none. */
  #findEarlier(width: number): number {
    const tokens = this.#tokens
    const suffix = this.#length - width
    for (let start = suffix - 1; start >= 0; start -= 1) {
      let same = 0
      while (same < width && tokens[start + same] === tokens[suffix + same]) same += 1
      if (same === width) return start + width
    }
    return -1
  }
}
