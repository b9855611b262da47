/** The bytes that each token stands for, as the decoder of `tokenizer.json` writes them. */
import { isObject, type JsonObject } from './json-file.ts'

/** By id; null for tokens that were added to the vocabulary, special ones among them, and for holes. */
export type TokenBytes = readonly (Uint8Array | null)[]

/** null where the decoder joins tokens otherwise than byte by byte. */
export function readTokenBytes(
  json: JsonObject,
  tokens: ReadonlyMap<string, number>,
): TokenBytes | null {
  const kinds = decoderKinds(json.decoder)
  const toBytes = kinds.has('ByteLevel') ? byteLevelBytes : metaspaceBytes(kinds)
  if (!toBytes) return null
  const added = new Set((json.added_tokens as JsonObject[]).map((token) => token.id as number))
  const bytes: (Uint8Array | null)[] = []
  for (const [token, id] of tokens) bytes[id] = added.has(id) ? null : toBytes(token)
  return Array.from(bytes, (entry) => entry ?? null)
}

function decoderKinds(decoder: unknown): Set<string> {
  if (!isObject(decoder)) return new Set()
  const parts = decoder.type === 'Sequence' ? decoder.decoders : [decoder]
  const objects = Array.isArray(parts) ? parts.filter(isObject) : []
  return new Set(objects.map((part) => String(part.type)))
}

/** GPT-2's letters for bytes: printable ones stand for themselves, the others for U+0100 and up. */
const byteOfLetter: ReadonlyMap<string, number> = new Map(
  (() => {
    const isPrintable = (byte: number): boolean =>
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    let next = 0x100
    return Array.from({ length: 256 }, (_, byte): [string, number] => [
      String.fromCharCode(isPrintable(byte) ? byte : next++),
      byte,
    ])
  })(),
)

function byteLevelBytes(token: string): Uint8Array | null {
  const bytes = Array.from(token, (letter) => byteOfLetter.get(letter))
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : null
}

/** Sentencepiece's way: ▁ is a space, and `<0x0A>` a byte where the decoder falls back to bytes. */
function metaspaceBytes(kinds: ReadonlySet<string>): ((token: string) => Uint8Array) | null {
  if (!kinds.has('Metaspace') && !kinds.has('Replace')) return null
  const known = new Set(['Metaspace', 'Replace', 'ByteFallback', 'Fuse', 'Strip'])
  if ([...kinds].some((kind) => !known.has(kind))) return null
  return (token) => {
    const byte = kinds.has('ByteFallback') ? /^<0x([0-9A-F]{2})>$/.exec(token) : null
    return byte ? Uint8Array.of(parseInt(byte[1]!, 16)) : Buffer.from(token.replaceAll('▁', ' '))
  }
}
