import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { architectureOf } from '../../src/arch/architectures.ts'
import { uniformPositions } from '../../src/arch/model-config.ts'
import { parseModelConfig, readModelConfig } from '../../src/arch/read-model-config.ts'
import { folderOf, referenceFolders, skip } from '../fixtures/reference-folders.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'

const parse = (changes: object) => parseModelConfig({ ...tinyConfig, ...changes }, 'config.json')

t.test('a Llama config is read, with the defaults that Hugging Face has', async (t) => {
  t.match(parse({}), {
    architecture: 'LlamaForCausalLM',
    vocabSize: 32,
    hiddenSize: 32,
    intermediateSize: 48,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 8,
    maxPositions: 32,
    normEps: 1e-5,
    normOffset: 0,
    tiedEmbeddings: true,
    embeddingScale: 1,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    activation: 'silu',
    attentionScale: 1 / Math.sqrt(8),
    attentionSoftcap: null,
    logitSoftcap: null,
    attention: [0, 1].map(() => ({
      rope: { theta: 10_000, dim: 8, scaling: { kind: 'default' } },
      window: null,
    })),
  })
  const plain = parse({ num_key_value_heads: undefined, tie_word_embeddings: undefined })
  t.match(plain, { kvHeads: 4, tiedEmbeddings: false })
  t.match(parse({ head_dim: 16 }), { headDim: 16 })
  t.match(parse({ head_dim: null }), { headDim: 8 })
  t.ok(Object.isFrozen(plain))
})

t.test('theta and scaling are read from both spellings', async (t) => {
  const rope = (changes: object) => parse(changes).attention[0]!.rope
  t.match(rope({ rope_theta: 5e5 }), { theta: 5e5 })
  t.match(rope({ rope_parameters: { rope_type: 'default', rope_theta: 2e4 } }), { theta: 2e4 })
  const llama3 = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  }
  const wanted = {
    theta: 5e5,
    dim: 8,
    scaling: {
      kind: 'llama3',
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    },
  }
  t.same(rope({ rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...llama3 } }), wanted)
  t.same(rope({ rope_parameters: { rope_theta: 5e5, rope_type: 'llama3', ...llama3 } }), wanted)
})

t.test('a field that is not valid is BAD_CHECKPOINT naming file and field', async (t) => {
  const bad: [object, RegExp][] = [
    [{ hidden_size: undefined }, /config\.json: hidden_size: /],
    [{ hidden_size: '32' }, /hidden_size: .*expected number/],
    [{ num_hidden_layers: 0 }, /num_hidden_layers: /],
    [{ num_hidden_layers: 2.5 }, /num_hidden_layers: /],
    [{ vocab_size: 1e9 }, /vocab_size: /],
    [{ max_position_embeddings: -1 }, /max_position_embeddings: /],
    [{ rms_norm_eps: 0 }, /rms_norm_eps: /],
    [{ architectures: [] }, /architectures: /],
    [{ architectures: 'LlamaForCausalLM' }, /architectures: /],
    [{ tie_word_embeddings: 'yes' }, /tie_word_embeddings: /],
    [{ rope_parameters: { rope_theta: -1 } }, /rope_parameters\.rope_theta: /],
    [{ num_key_value_heads: 3 }, /num_attention_heads 4 is no multiple of num_key_value_heads 3/],
    [{ head_dim: 12 }, /head size 12: attention needs a multiple of 8/],
    [{ num_attention_heads: 5, num_key_value_heads: 5 }, /head size 6\.4: /],
    [
      { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 } },
      /llama3 needs "original_max_position_embeddings"/,
    ],
  ]
  for (const [changes, detail] of bad)
    t.throws(() => parse(changes), { code: 'BAD_CHECKPOINT', detail }, JSON.stringify(changes))
  for (const raw of [null, 7, 'text', []])
    t.throws(() => parseModelConfig(raw, 'config.json'), { code: 'BAD_CHECKPOINT' })
})

const named = (name: string, changes: object = {}) =>
  parse({ architectures: [`${name}ForCausalLM`], ...changes })

t.test('what is not implemented is refused, with what is supported', async (t) => {
  const LLAMA = 'Llama'
  const bad: [string, object, RegExp][] = [
    ['Falcon', {}, /^"FalconForCausalLM"; supported: LlamaForCausalLM, MistralForCausalLM, /],
    [
      LLAMA,
      { rope_scaling: { type: 'ntk', factor: 2 } },
      /rope type "ntk"; supported: default, linear, dynamic, llama3, yarn, longrope$/,
    ],
    [LLAMA, { hidden_act: 'gelu' }, /hidden_act "gelu"; supported: silu, gelu_pytorch_tanh$/],
    [LLAMA, { hidden_act: 'toString' }, /hidden_act "toString"; supported: /],
    [LLAMA, { quantization_config: { quant_method: 'gptq' } }, /quantization_config; supported: /],
    [LLAMA, { partial_rotary_factor: 0.5 }, /partial_rotary_factor 0\.5 in this architecture/],
    [
      LLAMA,
      { rope_scaling: { type: 'dynamic', factor: 2, original_max_position_embeddings: 16 } },
      /dynamic beyond original_max_position_embeddings 16/,
    ],
    [
      'Qwen2',
      { use_sliding_window: true, layer_types: ['full_attention', 'chunked'] },
      /"chunked"/,
    ],
    ['Gemma2', { use_bidirectional_attention: true }, /use_bidirectional_attention true; supp/],
    ['Gemma3', { use_bidirectional_attention: true }, /use_bidirectional_attention true; supp/],
    ['Gemma3', { attn_logit_softcapping: 50 }, /attn_logit_softcapping in Gemma 3; supp/],
    ['Gemma3', { hidden_activation: 'relu' }, /hidden_activation "relu"; supported: silu, gelu_/],
  ]
  for (const [name, changes, detail] of bad) {
    const wanted = { code: 'ARCHITECTURE_UNSUPPORTED', detail }
    t.throws(() => named(name, changes), wanted, `${name} ${JSON.stringify(changes)}`)
  }
})

t.test('fields of the families that do not fit are BAD_CHECKPOINT', async (t) => {
  const sliding = ['sliding_attention', 'full_attention']
  const long = (short: number[]) => ({
    rope_scaling: { type: 'longrope', short_factor: short, long_factor: [1, 1, 1, 1] },
  })
  const bad: [string, object, RegExp][] = [
    ['Mistral', { sliding_window: 0 }, /sliding_window: /],
    ['Qwen2', { layer_types: sliding }, /sliding_attention need "use_sliding_window": true/],
    ['Qwen3', { use_sliding_window: true, layer_types: ['full_attention'] }, /expected 2 entries/],
    [
      'Qwen3',
      { use_sliding_window: true, sliding_window: null, layer_types: sliding },
      /need "sli/,
    ],
    ['Gemma3', { rope_parameters: { rope_type: 'default' } }, /rope_parameters\.full_attention: /],
    ['Gemma3', { final_logit_softcapping: -1 }, /final_logit_softcapping: /],
    ['Phi3', long([1, 1, 1]), /short_factor: expected 4 numbers/],
    ['Phi3', long([1, 0, 1, 1]), /rope_scaling\.short_factor\.1: /],
    ['Phi3', { partial_rotary_factor: 0.4 }, /3 of 8 channels rotate: expected an even number/],
    ['SmolLM3', { no_rope_layers: [1] }, /no_rope_layers: expected 2 entries, got 1/],
    ['SmolLM3', { no_rope_layers: [1, 2] }, /no_rope_layers\.1: /],
    ['SmolLM3', { layer_types: sliding }, /need "use_sliding_window": true/],
  ]
  for (const [name, changes, detail] of bad) {
    const full = { num_key_value_heads: 2, ...changes }
    const wanted = { code: 'BAD_CHECKPOINT', detail }
    t.throws(() => named(name, full), wanted, `${name} ${JSON.stringify(changes)}`)
  }
})

t.test('what a family assumes where its config is silent', async (t) => {
  const silent = {
    num_attention_heads: 32,
    hidden_size: 256,
    num_key_value_heads: undefined,
    tie_word_embeddings: undefined,
    rms_norm_eps: undefined,
    max_position_embeddings: 8192,
  }
  const own = (name: string) => named(name, silent)
  t.match(own('Llama'), { kvHeads: 32, tiedEmbeddings: false, normEps: 1e-6, headDim: 8 })
  t.match(own('Mistral'), { kvHeads: 8, attention: [{ window: 4096 }, { window: 4096 }] })
  t.match(own('Qwen2'), { kvHeads: 32, qkvBias: true, outputBias: false })
  t.match(own('Qwen3'), { headDim: 128, attention: [{ window: null }, { window: null }] })
  t.match(own('Gemma2'), {
    headDim: 256,
    kvHeads: 4,
    tiedEmbeddings: true,
    normOffset: 1,
    embeddingScale: 16,
    attentionScale: 1 / 16,
    attentionSoftcap: 50,
    logitSoftcap: 30,
    activation: 'gelu_tanh',
    attention: [{ window: 4096 }, { window: null }],
  })
  const gemma = named('Gemma3', { ...silent, num_hidden_layers: 7 })
  t.match(gemma, { attentionSoftcap: null, logitSoftcap: null })
  t.same(
    gemma.attention.map(({ window, rope }) => [window, rope!.theta]),
    [...Array.from({ length: 5 }, () => [4096, 1e4]), [null, 1e6], [4096, 1e4]],
  )
  t.match(own('Phi3'), { kvHeads: 32, tiedEmbeddings: false, normEps: 1e-5 })
  const smol = named('SmolLM3', { ...silent, num_hidden_layers: 5 })
  t.match(smol, { kvHeads: 4, tiedEmbeddings: true })
  t.same(
    smol.attention.map(({ rope }) => rope?.theta),
    [2e6, 2e6, 2e6, undefined, 2e6],
  )
})

t.test('a window that holds the whole context is none', async (t) => {
  const windows = (window: number) =>
    named('Mistral', { sliding_window: window }).attention.map((layer) => layer.window)
  t.same(windows(31), [31, 31])
  t.same(windows(32), [null, null])
})

t.test('rows of one rotary table end where LongRoPE changes over', async (t) => {
  const factors = { short_factor: [1, 1, 1, 1], long_factor: [2, 2, 2, 2] }
  const scaling = { original_max_position_embeddings: 8, rope_scaling: { type: 'su', ...factors } }
  t.equal(uniformPositions(named('Phi3', scaling)), 8)
  t.equal(uniformPositions(named('Phi3')), 32)
  t.equal(uniformPositions(named('SmolLM3', { no_rope_layers: [0, 0] })), 32)
})

t.test(
  'a folder without config.json, or with one that is no JSON, is BAD_CHECKPOINT',
  async (t) => {
    const dir = t.testdir()
    await t.rejects(readModelConfig(dir), {
      code: 'BAD_CHECKPOINT',
      detail: /config\.json: cannot/,
    })
    writeFileSync(join(dir, 'config.json'), '{"vocab_size": ')
    await t.rejects(readModelConfig(dir), {
      code: 'BAD_CHECKPOINT',
      detail: /config\.json: not JSON/,
    })
  },
)

t.test('every reference config parses', { skip }, async (t) => {
  for (const name of referenceFolders) {
    const config = await readModelConfig(folderOf(name))
    t.match(architectureOf(config).names, [config.architecture], name)
  }
})
