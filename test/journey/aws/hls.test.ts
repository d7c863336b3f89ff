import { afterAll } from 'vitest'
import { closeAwsRigs } from '../../support/emulators/aws-rig.ts'

// The same journey with the cloud on AWS (emulated): the file itself is unchanged.
process.env.EDGEREEL_TEST_CLOUD = 'aws'
await import('../hls.test.ts')
afterAll(async () => {
  delete process.env.EDGEREEL_TEST_CLOUD
  await closeAwsRigs()
})
