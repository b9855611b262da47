/** Schemas over every keyword that is enforced. */

const closed = { additionalProperties: false }
const list = {
  $defs: {
    node: {
      type: 'object',
      properties: {
        value: { type: 'integer' },
        next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
      },
      required: ['value', 'next'],
    },
  },
  $ref: '#/$defs/node',
}
const tree = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 3 },
    children: { type: 'array', items: { $ref: '#' }, maxItems: 2 },
  },
  required: ['name', 'children'],
}

export const enforcedSchemas: Readonly<Record<string, object | boolean>> = {
  'anything': {},
  'true': true,
  'any object': { type: 'object' },
  'booleans and null': { type: ['boolean', 'null'] },
  'short strings': { type: 'string', minLength: 2, maxLength: 4 },
  'strings or null': { type: ['string', 'null'], maxLength: 3 },
  'integers in a range': { type: 'integer', minimum: -13, maximum: 250 },
  'integers above': { type: 'integer', exclusiveMinimum: 7 },
  'integers below': { type: 'integer', maximum: -5, multipleOf: 1 },
  'numbers in a range': { type: 'number', exclusiveMinimum: -0.5, maximum: 12.25 },
  'numbers below zero': { type: 'number', exclusiveMaximum: 0 },
  'one number': { type: 'number', minimum: 0.1, maximum: 0.1 },
  'tiny numbers': { type: 'number', minimum: 1e-7, exclusiveMaximum: 2e-7 },
  'a bound of 17 digits': { type: 'number', exclusiveMinimum: 0.30000000000000004, maximum: 1 },
  'large numbers': { type: 'number', exclusiveMinimum: 123456789012345 },
  'fractional bounds of integers': { type: 'integer', minimum: 0.5, maximum: 2.5 },
  'mixed constants': { enum: [1, 'x', null, { y: [1] }, -0.5, true] },
  'constants of one type': { enum: ['aa', 'ab', 'b', 3], minLength: 2, type: 'string' },
  'a constant object': { const: { b: 1, a: ['é"\n'] } },
  'optional and required properties': {
    type: 'object',
    properties: { a: { type: 'string', maxLength: 4 }, b: { enum: [1, 2] }, c: { type: 'boolean' } },
    required: ['b'],
    ...closed,
  },
  'names that need escapes': {
    type: 'object',
    properties: { 'a"b': { type: 'null' }, 'naïve\n': { const: 1 } },
    required: ['a"b', 'naïve\n'],
    ...closed,
  },
  'a map': { type: 'object', additionalProperties: { type: 'integer' }, maxProperties: 3 },
  'further properties beside named ones': {
    type: 'object',
    properties: { id: { const: 3 }, idx: { type: 'null' } },
    additionalProperties: { type: 'boolean' },
    required: ['other'],
  },
  'names with a pattern': {
    type: 'object',
    propertyNames: { pattern: '^[a-z]{1,3}$' },
    additionalProperties: { type: 'boolean' },
  },
  'listed names': {
    type: 'object',
    propertyNames: { enum: ['x', 'y'] },
    additionalProperties: { type: 'number' },
    required: ['y'],
  },
  'lists': { type: 'array', items: { type: 'integer', maximum: 9 }, minItems: 1, maxItems: 3 },
  'empty lists': { type: 'array', maxItems: 0 },
  'tuples': {
    type: 'array',
    prefixItems: [{ type: 'string', maxLength: 3 }, { type: 'integer' }],
    items: { type: 'null' },
    minItems: 1,
    maxItems: 4,
  },
  'lists of different constants': {
    type: 'array',
    items: { enum: ['a', 'b', 'c'] },
    uniqueItems: true,
    minItems: 2,
  },
  'a recursive definition': list,
  'a schema that contains itself': tree,
  'allOf': {
    allOf: [
      { type: 'object', properties: { a: { type: 'integer', minimum: 2 } }, required: ['a'] },
      { properties: { a: { maximum: 5 }, b: { type: 'boolean' } }, required: ['b'] },
    ],
  },
  'anyOf beside keywords': {
    type: 'object',
    properties: { a: { type: 'boolean' }, b: { type: 'boolean' } },
    anyOf: [{ required: ['a'] }, { required: ['b'] }],
  },
  'anyOf of types': { anyOf: [{ type: 'string', maxLength: 3 }, { type: 'number' }] },
  'oneOf told apart by a constant': {
    oneOf: [
      { type: 'object', properties: { k: { const: 'a' }, x: { type: 'integer' } }, required: ['k', 'x'] },
      { type: 'object', properties: { k: { const: 'b' } }, required: ['k'] },
    ],
  },
  'a pattern with anchors': { type: 'string', pattern: '^[A-Z]{2}-\\d{3,4}$' },
  'a pattern to be found': { type: 'string', pattern: 'b+c', minLength: 3, maxLength: 6 },
  'alternatives of a pattern': { type: 'string', pattern: '^(?:ab|c)+$|^x{2}$', maxLength: 5 },
  'a pattern with look-ahead': { type: 'string', pattern: '^(?!foo)(?=.*o)[a-z]{3}$' },
  'Unicode properties': { type: 'string', pattern: '^\\p{Lu}\\p{Ll}{1,3}$' },
  'negated classes': { type: 'string', pattern: '^[^a-z\\s]\\W\\S.$' },
  'characters that are escaped': { type: 'string', pattern: '^[\\n"\\\\\\u0001]{3}$' },
  ...Object.fromEntries(
    'date time date-time duration email hostname ipv4 ipv6 uri uuid'
      .split(' ')
      .map((format) => [`format ${format}`, { type: 'string', format }]),
  ),
} // prettier-ignore
