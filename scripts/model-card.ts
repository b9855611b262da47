/** The model cards of the bundled models, from their manifests and the reports of the demo training. */
export const MODEL_CARD_FILE = 'README.md'

export function writeModelCards(_options: {
  home: string
  reports: string
  scale: unknown
}): void {}
