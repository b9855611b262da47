/**
 * Tokenizers of Hugging Face model folders, through `@huggingface/tokenizers` (its only import).
 * Owns: reading the files, ids of the end, begin and padding tokens, and the library's edges (empty lists,
 * ids beyond the vocabulary, its habit of deleting spaces before punctuation when decoding).
 */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers'
import { join } from 'node:path'
import { SteerError, fail } from '../errors.ts'
import { checkTokenizerJson } from './check-tokenizer-json.ts'
import { isObject, parseJsonObject, readJsonIfPresent, readTextIfPresent } from './json-file.ts'
import type { JsonObject } from './json-file.ts'
import { readTokenBytes, type TokenBytes } from './token-bytes.ts'

export interface Tokenizer {
  /**
   * Special tokens written in the text are recognised. `addSpecialTokens` (default true) lets the
   * tokenizer's post-processor add its own, such as a begin token; chat prompts pass false.
   */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[]
  /** Ids without a token (a padded vocabulary) give no text. Special tokens are shown unless skipped. */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string
  /** One more than the largest id, added tokens included; the model's may be larger (padding). */
  readonly vocabSize: number
  tokenToId(token: string): number | undefined
  /** Whether `skipSpecialTokens` hides this id. */
  isSpecial(id: number): boolean
  /** What each token writes; null where the decoder does not join tokens byte by byte. Worked out at each call. */
  tokenBytes(): TokenBytes | null
  /** Ascending. Every id that ends a generation: of generation_config, config and the tokenizer. */
  readonly eosIds: readonly number[]
  readonly bosId?: number
  readonly padId?: number
}

/** Reads the tokenizer of a model folder. Fails BAD_TOKENIZER with the file and the member at fault. */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const path = join(dir, 'tokenizer.json')
  const text = await readTextIfPresent(dir, 'tokenizer.json', 'BAD_TOKENIZER')
  if (text === null) fail('BAD_TOKENIZER', `${path}: no such file`)
  const [tokenizerConfig, config, generationConfig] = await Promise.all(
    ['tokenizer_config.json', 'config.json', 'generation_config.json'].map((name) =>
      readJsonIfPresent(dir, name, 'BAD_TOKENIZER'),
    ),
  )
  return createTokenizer(parseJsonObject(text, path, 'BAD_TOKENIZER'), {
    where: path,
    tokenizerConfig: tokenizerConfig ?? {},
    modelConfigs: [generationConfig ?? {}, config ?? {}],
  })
}

export interface TokenizerSources {
  /** The file's name, for errors. */
  where: string
  tokenizerConfig?: JsonObject
  /** Objects that may hold `eos_token_id`, `bos_token_id`, `pad_token_id`; the first wins, ends unite. */
  modelConfigs?: JsonObject[]
}

/** A tokenizer from the parsed content of `tokenizer.json`. Fails BAD_TOKENIZER. */
export function createTokenizer(json: JsonObject, sources: TokenizerSources): Tokenizer {
  const { where, tokenizerConfig = {}, modelConfigs = [] } = sources
  checkTokenizerJson(json, where)
  const library = guard(where, 'the library refuses it', () => {
    const made = new LibraryTokenizer(json, tokenizerConfig)
    // Some defects only show in use.
    const { ids } = made.encode('a B1 é', { add_special_tokens: true })
    if (ids.length > 0) made.decode(ids.filter(isId))
    return made
  })
  const tokens: Map<string, number> = library.get_vocab(true)
  tokens.delete(undefined as unknown as string) // holes of the vocabulary
  const known = new Set(tokens.values())
  const tokenToId = (token: string): number | undefined => tokens.get(token)
  const special = specialIds(json, tokenizerConfig, tokenToId)

  return {
    encode: (text, { addSpecialTokens = true } = {}) =>
      guard(where, 'cannot encode', () =>
        text === '' && !addSpecialTokens
          ? []
          : library.encode(text, { add_special_tokens: addSpecialTokens }).ids.filter(isId),
      ),
    decode: (ids, { skipSpecialTokens = false } = {}) => {
      const shown = ids.filter((id) => known.has(id) && !(skipSpecialTokens && special.has(id)))
      if (shown.length === 0) return ''
      return guard(where, 'cannot decode', () =>
        // The library's default would turn "so ." into "so.", which is not what the tokens say.
        library.decode(shown, { clean_up_tokenization_spaces: false }),
      )
    },
    vocabSize: known.size === 0 ? 0 : [...known].reduce((max, id) => Math.max(max, id)) + 1,
    tokenToId,
    isSpecial: (id) => special.has(id),
    tokenBytes: () => readTokenBytes(json, tokens),
    eosIds: endIds(modelConfigs, tokenizerConfig, tokenToId),
    bosId: singleId('bos', modelConfigs, tokenizerConfig, tokenToId),
    padId: singleId('pad', modelConfigs, tokenizerConfig, tokenToId),
  }
}

/** The text of a token member of `tokenizer_config.json`: a string, or an object with `content`. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return isObject(value) && typeof value.content === 'string' ? value.content : undefined
}

type TokenToId = (token: string) => number | undefined

function specialIds(json: JsonObject, config: JsonObject, tokenToId: TokenToId): Set<number> {
  const added = (json.added_tokens as JsonObject[]).filter((token) => token.special === true)
  const ids = new Set(added.map((token) => token.id as number))
  const more = Array.isArray(config.additional_special_tokens)
    ? config.additional_special_tokens.map(tokenText)
    : []
  for (const text of more) {
    const id = text === undefined ? undefined : tokenToId(text)
    if (id !== undefined) ids.add(id)
  }
  return ids
}

function endIds(
  configs: JsonObject[],
  tokenizerConfig: JsonObject,
  tokenToId: TokenToId,
): number[] {
  const ids = configs.flatMap((config) => idsOf(config, 'eos_token_id'))
  const text = tokenText(tokenizerConfig.eos_token)
  const own = text === undefined ? undefined : tokenToId(text)
  if (own !== undefined) ids.push(own)
  return [...new Set(ids)].sort((a, b) => a - b)
}

function singleId(
  which: 'bos' | 'pad',
  configs: JsonObject[],
  tokenizerConfig: JsonObject,
  tokenToId: TokenToId,
): number | undefined {
  const text = tokenText(tokenizerConfig[`${which}_token`])
  const own = text === undefined ? undefined : tokenToId(text)
  return own ?? configs.flatMap((config) => idsOf(config, `${which}_token_id`))[0]
}

/** A number or a list of numbers; multimodal configs keep it under `text_config`. */
function idsOf(config: JsonObject, member: string): number[] {
  const inner = isObject(config.text_config) ? config.text_config[member] : undefined
  const value = config[member] ?? inner
  return (Array.isArray(value) ? value : [value]).filter(isId)
}

/** The library gives `undefined` for a character that neither vocabulary nor unknown token covers. */
function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}

function guard<T>(where: string, what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof SteerError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    return fail('BAD_TOKENIZER', `${where}: ${what}: ${reason}`, { cause: error })
  }
}
