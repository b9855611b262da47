/**
 * A checkpoint as a GGUF file of 4-bit blocks (Q4_0), for llama.cpp: the format's third version
 * (github.com/ggml-org/ggml, docs/gguf.md). The vocabulary is made up, because prompts are token ids.
 */
import { open } from 'node:fs/promises'
import { openCheckpoint, type Checkpoint } from '../../src/weights/checkpoint.ts'
import { float32ToFloat16 } from '../../src/weights/float-conversion.ts'
import { shapes, type ShapeName } from './shapes.ts'

const alignment = 32
const types = { f32: 0, q4: 2 } as const
const blockSize = 32
const blockBytes = 18

/** The parts of GGUF's header: numbers little endian, strings with a 64-bit length. */
class Writer {
  readonly #parts: Buffer[] = []

  u32(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return this.bytes(bytes)
  }

  u64(value: number): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return this.bytes(bytes)
  }

  f32(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    return this.bytes(bytes)
  }

  text(value: string): this {
    const bytes = Buffer.from(value)
    return this.u64(bytes.length).bytes(bytes)
  }

  bytes(bytes: Buffer): this {
    this.#parts.push(bytes)
    return this
  }

  /** Everything so far, padded to the alignment. */
  padded(): Buffer {
    const all = Buffer.concat(this.#parts)
    return Buffer.concat([all, Buffer.alloc(padding(all.length))])
  }
}

const padding = (length: number): number => (alignment - (length % alignment)) % alignment

/** Rows of 32 values → scale f16 and 16 bytes; value i of a block is the low half of byte i, i + 16 the high one. */
export function packQ4(values: Float32Array): Buffer {
  const blocks = values.length / blockSize
  const out = Buffer.alloc(blocks * blockBytes)
  const scales = new Float32Array(blocks)
  for (let b = 0; b < blocks; b += 1) {
    const block = values.subarray(b * blockSize, (b + 1) * blockSize)
    const extreme = block.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0)
    scales[b] = extreme / -8
    const inverse = scales[b] === 0 ? 0 : 1 / scales[b]!
    const level = (i: number): number => Math.min(15, Math.floor(block[i]! * inverse + 8.5))
    for (let i = 0; i < 16; i += 1) out[b * blockBytes + 2 + i] = level(i) | (level(i + 16) << 4)
  }
  float32ToFloat16(scales).forEach((bits, b) => out.writeUInt16LE(bits, b * blockBytes))
  return out
}

/** `model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight` */
function ggufName(name: string): string {
  const parts: [RegExp | string, string][] = [
    ['model.embed_tokens', 'token_embd'],
    ['model.norm', 'output_norm'],
    ['lm_head', 'output'],
    [/model\.layers\.(\d+)/, 'blk.$1'],
    ['input_layernorm', 'attn_norm'],
    ['post_attention_layernorm', 'ffn_norm'],
    [/self_attn\.([qkv])_proj/, 'attn_$1'],
    ['self_attn.o_proj', 'attn_output'],
    [/mlp\.(gate|up|down)_proj/, 'ffn_$1'],
  ]
  return parts.reduce((text, [from, to]) => text.replace(from, to), name)
}

/** llama.cpp turns neighbouring pairs of a llama's heads, Hugging Face halves: rows (2, D/2) become (D/2, 2). */
function interleaveHeads(values: Float32Array, heads: number, columns: number): Float32Array {
  const out = new Float32Array(values.length)
  const headDim = values.length / columns / heads
  for (let head = 0; head < heads; head += 1) {
    for (let i = 0; i < headDim; i += 1) {
      const from = head * headDim + (i % 2) * (headDim / 2) + Math.floor(i / 2)
      const row = values.subarray(from * columns, (from + 1) * columns)
      out.set(row, (head * headDim + i) * columns)
    }
  }
  return out
}

type Shape = (typeof shapes)[ShapeName]

function header(shape: Shape, tensorCount: number): Writer {
  const arch = shape.model_type
  const numbers: [string, number][] = [
    ['vocab_size', shape.vocab_size],
    ['context_length', shape.max_position_embeddings],
    ['embedding_length', shape.hidden_size],
    ['block_count', shape.num_hidden_layers],
    ['feed_forward_length', shape.intermediate_size],
    ['attention.head_count', shape.num_attention_heads],
    ['attention.head_count_kv', shape.num_key_value_heads],
    ['rope.dimension_count', shape.hidden_size / shape.num_attention_heads],
  ]
  const reals: [string, number][] = [
    ['rope.freq_base', shape.rope_theta],
    ['attention.layer_norm_rms_epsilon', shape.rms_norm_eps],
  ]
  const texts: [string, string][] = [
    ['general.architecture', arch],
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'default'],
  ]
  const writer = new Writer().bytes(Buffer.from('GGUF')).u32(3).u64(tensorCount)
  writer.u64(numbers.length + reals.length + texts.length + vocabularyKeys)
  for (const [key, value] of texts) writer.text(key).u32(8).text(value)
  for (const [key, value] of numbers) writer.text(`${arch}.${key}`).u32(4).u32(value)
  for (const [key, value] of reals) writer.text(`${arch}.${key}`).u32(6).f32(value)
  return vocabulary(writer, shape.vocab_size)
}

const vocabularyKeys = 4

/** Bytes as GPT-2 writes them, then names nobody uses; the last one ends a text. */
function vocabulary(writer: Writer, size: number): Writer {
  const visible = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let hidden = 0
  const bytes = Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(visible(byte) ? byte : 256 + hidden++),
  )
  const list = (key: string, type: number) => writer.text(key).u32(9).u32(type)
  list('tokenizer.ggml.tokens', 8).u64(size)
  for (let i = 0; i < size; i += 1) writer.text(bytes[i] ?? `<token ${i}>`)
  list('tokenizer.ggml.token_type', 5).u64(size)
  for (let i = 0; i < size; i += 1) writer.u32(i === size - 1 ? 3 : 1)
  list('tokenizer.ggml.merges', 8).u64(1).text('a b')
  return writer
    .text('tokenizer.ggml.eos_token_id')
    .u32(4)
    .u32(size - 1)
}

/** Matrices in 4 bits, the rest as it is. */
async function tensorBytes(name: string, shape: Shape, { tensors }: Checkpoint): Promise<Buffer> {
  const { file, entry } = tensors.get(name)!
  const values = await file.readFloat32(name)
  if (entry.shape.length === 1) return Buffer.from(values.buffer, values.byteOffset, values.byteLength) // prettier-ignore
  const heads = /q_proj/.test(name) ? shape.num_attention_heads : shape.num_key_value_heads
  const isTurned = shape.model_type === 'llama' && /[qk]_proj/.test(name)
  return packQ4(isTurned ? interleaveHeads(values, heads, entry.shape[1]!) : values)
}

/** Writes what `writeShape` made, with the same values. */
export async function writeGguf(name: ShapeName, dir: string, path: string): Promise<void> {
  const shape = shapes[name]
  const checkpoint = await openCheckpoint(dir)
  const file = await open(path, 'w')
  try {
    const names = [...checkpoint.tensors.keys()]
    const writer = header(shape, names.length)
    let offset = 0
    for (const tensor of names) {
      const dims = checkpoint.tensors.get(tensor)!.entry.shape
      const size = dims.reduce((a, b) => a * b, 1)
      const isMatrix = dims.length > 1
      writer.text(ggufName(tensor)).u32(dims.length)
      for (const dim of [...dims].reverse()) writer.u64(dim)
      writer.u32(isMatrix ? types.q4 : types.f32).u64(offset)
      const bytes = isMatrix ? (size / blockSize) * blockBytes : 4 * size
      offset += bytes + padding(bytes)
    }
    await file.write(writer.padded())
    for (const tensor of names) {
      const bytes = await tensorBytes(tensor, shape, checkpoint)
      await file.write(bytes)
      await file.write(Buffer.alloc(padding(bytes.length)))
    }
  } finally {
    await file.close()
    await checkpoint.close()
  }
}
