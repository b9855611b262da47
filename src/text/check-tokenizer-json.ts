/**
 * The shape of a `tokenizer.json` before the library sees it: the library indexes arrays by ids from the
 * file and reads members unchecked, so ids are bounded and every list is what it claims to be.
 */
import { fail } from '../errors.ts'
import { isObject, kindOf, type JsonObject } from './json-file.ts'

/** No vocabulary in use comes near; it bounds the array that the ids index. */
const maxTokenId = 4_000_000

/** Fails BAD_TOKENIZER with the member at fault; `where` is the file. */
export function checkTokenizerJson(json: JsonObject, where: string): void {
  const bad = (member: string, expected: string, found: unknown): never =>
    fail('BAD_TOKENIZER', `${where}: ${member}: expected ${expected}, found ${describe(found)}`)

  for (const member of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    const value = json[member]
    if (value === undefined) json[member] = null
    else if (value !== null && !isObject(value)) bad(member, 'an object or null', value)
  }
  const model = json.model
  if (!isObject(model)) return bad('model', 'an object', model)
  checkVocabulary(model, bad)
  if (model.type === 'BPE' || model.merges !== undefined) checkMerges(model.merges, bad)
  json.added_tokens ??= []
  checkAddedTokens(json.added_tokens, bad)
}

type Bad = (member: string, expected: string, found: unknown) => never

function checkVocabulary(model: JsonObject, bad: Bad): void {
  const vocab = model.vocab
  if (Array.isArray(vocab)) {
    // Unigram: [token, log probability] by id.
    vocab.forEach((entry: unknown, id) => {
      const valid =
        Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number'
      if (!valid) bad(`model.vocab[${id}]`, '[token, score]', entry)
    })
    return
  }
  if (!isObject(vocab)) return bad('model.vocab', 'an object or an array', vocab)
  for (const [token, id] of Object.entries(vocab)) {
    if (!isTokenId(id)) bad(`model.vocab[${JSON.stringify(token)}]`, 'a token id', id)
  }
}

function checkMerges(merges: unknown, bad: Bad): void {
  if (!Array.isArray(merges)) return bad('model.merges', 'an array', merges)
  merges.forEach((merge: unknown, index) => {
    const parts = typeof merge === 'string' ? merge.split(' ') : merge
    const valid =
      Array.isArray(parts) &&
      parts.length === 2 &&
      parts.every((part) => typeof part === 'string') &&
      typeof merge === typeof merges[0]
    if (!valid) bad(`model.merges[${index}]`, 'two tokens', merge)
  })
}

function checkAddedTokens(tokens: unknown, bad: Bad): void {
  if (!Array.isArray(tokens)) return bad('added_tokens', 'an array', tokens)
  tokens.forEach((token: unknown, index) => {
    if (!isObject(token)) return bad(`added_tokens[${index}]`, 'an object', token)
    if (!isTokenId(token.id)) bad(`added_tokens[${index}].id`, 'a token id', token.id)
    if (typeof token.content !== 'string' || token.content === '') {
      bad(`added_tokens[${index}].content`, 'a text that is not empty', token.content)
    }
  })
}

function isTokenId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxTokenId
}

function describe(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  return kindOf(value)
}
