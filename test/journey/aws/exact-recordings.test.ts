import { afterAll } from 'vitest'

// The same journey with the cloud on AWS (emulated), whose events come three times, late and in any order.
process.env.EDGEREEL_TEST_CLOUD = 'aws-unruly'
await import('../exact-recordings.test.ts')
afterAll(() => {
  delete process.env.EDGEREEL_TEST_CLOUD
})
