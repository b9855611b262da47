/** For drizzle-kit (`npm run migrations`): where the tables are described and where their migrations go. */
import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/database/schema.ts',
  out: './src/database/migrations',
})
