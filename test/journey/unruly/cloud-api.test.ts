import { afterAll } from 'vitest'

// The same journey with a queue that repeats, delays and reorders: the file itself is unchanged.
process.env.EDGEREEL_TEST_DELIVERY = 'unruly'
await import('../cloud-api.test.ts')
afterAll(() => {
  delete process.env.EDGEREEL_TEST_DELIVERY
})
