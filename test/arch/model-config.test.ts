import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { architectureOf } from '../../src/arch/architectures.ts'
import { parseModelConfig, readModelConfig } from '../../src/arch/model-config.ts'
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
    ropeTheta: 10_000,
    ropeScaling: { kind: 'default' },
    tiedEmbeddings: true,
    attentionBias: false,
    mlpBias: false,
  })
  const plain = parse({ num_key_value_heads: undefined, tie_word_embeddings: undefined })
  t.match(plain, { kvHeads: 4, tiedEmbeddings: false })
  t.match(parse({ head_dim: 16 }), { headDim: 16 })
  t.match(parse({ head_dim: null }), { headDim: 8 })
  t.ok(Object.isFrozen(plain))
})

t.test('theta and scaling are read from both spellings', async (t) => {
  t.match(parse({ rope_theta: 5e5 }), { ropeTheta: 5e5 })
  t.match(parse({ rope_parameters: { rope_type: 'default', rope_theta: 2e4 } }), { ropeTheta: 2e4 })
  const llama3 = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  }
  const wanted = {
    ropeTheta: 5e5,
    ropeScaling: {
      kind: 'llama3',
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    },
  }
  t.match(parse({ rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...llama3 } }), wanted)
  t.match(parse({ rope_parameters: { rope_theta: 5e5, rope_type: 'llama3', ...llama3 } }), wanted)
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
    [{ hidden_act: 'gelu' }, /hidden_act: expected "silu", got "gelu"/],
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

t.test('an unknown rope type and an unknown architecture say what is supported', async (t) => {
  t.throws(() => parse({ rope_scaling: { type: 'yarn', factor: 2 } }), {
    code: 'ARCHITECTURE_UNSUPPORTED',
    detail: /rope type "yarn"; supported: default, llama3/,
  })
  t.throws(() => architectureOf(parse({ architectures: ['FalconForCausalLM'] })), {
    code: 'ARCHITECTURE_UNSUPPORTED',
    detail: '"FalconForCausalLM"; supported: LlamaForCausalLM',
  })
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

const fixtures = fileURLToPath(new URL('../../../shared/fixtures/hf', import.meta.url))
const skip = existsSync(fixtures) ? false : 'the reference checkpoints are not here'

t.test('real configs parse, or name their architecture as unsupported', { skip }, async (t) => {
  for (const name of readdirSync(fixtures)) {
    const config = await readModelConfig(join(fixtures, name)).then(
      (read) => {
        try {
          return architectureOf(read).names
        } catch (error) {
          return error
        }
      },
      (error: unknown) => error,
    )
    if (name.startsWith('llama')) t.same(config, ['LlamaForCausalLM'], name)
    else t.match(config, { code: 'ARCHITECTURE_UNSUPPORTED', detail: /supported: / }, name)
  }
})
