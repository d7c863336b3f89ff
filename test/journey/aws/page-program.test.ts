import { afterAll } from 'vitest'

// The same journey with the cloud on AWS (emulated): the file itself is unchanged.
process.env.EDGEREEL_TEST_CLOUD = 'aws'
await import('../page-program.test.ts')
afterAll(() => {
  delete process.env.EDGEREEL_TEST_CLOUD
})
