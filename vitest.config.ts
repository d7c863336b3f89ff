import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Foreign players and cameras on a shared machine of two cores: CI tries once more and names what needed it.
    retry: process.env.CI ? 1 : 0,
    maxWorkers: 2, // CI has two cores; the journeys start real processes beside the runner.
    testTimeout: 60_000, // Journeys start whole programs, two at a time, on a busy machine.
    hookTimeout: 60_000,
    reporters: ['default', './test/support/plain-reporter.ts'],
  },
})
