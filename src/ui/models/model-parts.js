/** Words about models that several views use. */

export const kindNames = { 'language-model': 'language', 'attribute-model': 'attributes' }

export const attributeText = (attributes) =>
  (attributes ?? []).map((one) => one.name ?? one).join(', ') || 'none'
