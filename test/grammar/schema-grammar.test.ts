/** Random texts under a constraint are valid by an independent validator, and what cannot be enforced is refused. */
import t from 'tap'
import { schemaJudge } from '../fixtures/json-schema.ts'
import type { SteerError } from '../../src/errors.ts'
import { sampler, schemaConstraint, singleBytes } from './sample-text.ts'
import { enforcedSchemas } from './schemas.ts'

const SAMPLES = 12

for (const [name, schema] of Object.entries(enforcedSchemas)) {
  t.test(`${name}: every text is valid JSON of the schema`, async (t) => {
    const judge = schemaJudge(schema)
    const sample = sampler(schemaConstraint(schema))
    for (let seed = 0; seed < SAMPLES; seed += 1) {
      const text = sample(seed)
      const value: unknown = JSON.parse(text)
      if (!judge(value)) t.fail(`${text}: ${JSON.stringify(judge.errors)}`)
    }
    t.pass()
  })
}

t.test('all that a small schema allows is written, in the order of its properties', async (t) => {
  const schema = {
    type: 'object',
    properties: { a: { enum: [1, 2] }, b: { type: 'boolean' } },
    required: ['a'],
  }
  const sample = sampler(schemaConstraint(schema))
  const texts = new Set(Array.from({ length: 300 }, (_, seed) => sample(seed).replaceAll(' ', '')))
  t.same([...texts].sort(), [
    '{"a":1,"b":false}',
    '{"a":1,"b":true}',
    '{"a":1}',
    '{"a":2,"b":false}',
    '{"a":2,"b":true}',
    '{"a":2}',
  ])
})

t.test('a vocabulary that lacks bytes never gets stuck', async (t) => {
  const lacking = singleBytes.map((bytes) =>
    [0x7a, 0xe2, 0x83].includes(bytes[0]!) ? null : bytes,
  )
  const schema = { type: 'string', pattern: '^[x-zé€]{3}(zoo|xo+)$', maxLength: 9 }
  const sample = sampler(schemaConstraint(schema), lacking)
  for (let seed = 0; seed < 50; seed += 1) t.match(sample(seed), /^"[xyé]{3}xo+"$/)
  const needed = { enum: ['zoo'] }
  t.throws(() => sampler(schemaConstraint(needed), lacking), { message: /cannot be written/ })
})

const object = (property: object) => ({ type: 'object', properties: { p: property } })
const self = {
  $defs: { x: { anyOf: [{ $ref: '#/$defs/x' }, { type: 'null' }] } },
  $ref: '#/$defs/x',
}

const refused: [name: string, schema: unknown, message: RegExp][] = [
  ['an unknown keyword', object({ contains: {} }), /schema \/properties\/p\/contains: this keyword cannot/],
  ['not', { not: {} }, /schema \/not: this keyword/],
  ['an unknown format', object({ format: 'iban' }), /\/properties\/p\/format: "iban" cannot be enforced, only date/],
  ['a schema that is none', object({ items: 3 }), /\/properties\/p\/items: expected a schema/],
  ['a type that is none', { type: 'text' }, /\/type: no such type: "text"/],
  ['a fractional step', { type: 'number', multipleOf: 0.5 }, /\/multipleOf: this keyword/],
  ['a remote reference', { $ref: 'https://example.org/x' }, /\/\$ref: expected a reference into this schema/],
  ['a missing definition', { $ref: '#/$defs/x' }, /there is no #\/\$defs\/x/],
  ['a circle of references', self, /refers to itself with no object or list between/],
  ['a circle without an end', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, /no finite reply/],
  ['what contradicts itself', { allOf: [{ type: 'string' }, { type: 'null' }] }, /no finite reply/],
  ['an empty range', { type: 'integer', minimum: 3, maximum: 2 }, /no finite reply/],
  ['branches that overlap', { oneOf: [{ type: 'integer' }, { type: 'number' }] }, /\/oneOf: branches 0 and 1 may hold/],
  ['a pattern that is none', object({ pattern: '(' }), /\/properties\/p\/pattern: not a regular expression/],
  ['a back reference', object({ pattern: '(a)\\1' }), /the back reference \\1 cannot be enforced/],
  ['a word boundary', object({ pattern: 'a\\bc' }), /\\b in this place cannot be enforced/],
  ['an anchor inside', object({ pattern: '(^a|b)' }), /\^ in this place/],
  ['unique items of any kind', { type: 'array', items: { type: 'string' }, uniqueItems: true }, /\/uniqueItems: this keyword can be enforced for/],
  ['a pattern with very many states', object({ pattern: '(a|b)*a(a|b){20}' }), /more than \d+, the limit/],
  ['a repetition beyond bounds', object({ pattern: '(a{1000}){1000}' }), /more than \d+, the limit/],
  ['a pattern of great length', object({ pattern: 'a'.repeat(20_000) }), /characters of the pattern: more than/],
  ['a deep pattern', object({ pattern: `${'('.repeat(4900)}a${')'.repeat(4900)}` }), /nested too deeply|more than|not a regular/],
  ['a pattern with a great length', object({ pattern: '^(ab|c)*$', maxLength: 1_000_000 }), /more than \d+, the limit/],
  ['a great schema', { description: 'x'.repeat(300_000) }, /bytes of the schema: more than/],
  ['many branches', { allOf: Array.from({ length: 9 }, () => ({ anyOf: [{ minLength: 1 }, { maxLength: 3 }] })) }, /branches: more than/],
  ['a deep schema', Array.from({ length: 300 }).reduce<object>((inner) => ({ type: 'array', items: inner }), {}), /depth of the schema/],
  ['a bound far away', { type: 'number', minimum: 1e300 }, /nearer to 0 than/],
] // prettier-ignore

for (const [name, schema, message] of refused) {
  t.test(`${name} is refused by name, quickly`, async (t) => {
    const begun = performance.now()
    t.throws(() => sampler(schemaConstraint(schema)), { code: 'BAD_REQUEST', message })
    t.ok(performance.now() - begun < 2000)
  })
}

t.test('what is refused names the field', async (t) => {
  const refusal = t.throws(() => sampler(schemaConstraint({ type: 'text' }))) as SteerError
  t.equal(refusal.param, 'schema')
})
