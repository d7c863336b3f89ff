import { afterAll } from 'vitest'
import { closeAwsRigs } from '../../support/emulators/aws-rig.ts'

// The same journey with the cloud on AWS (emulated): the file itself is unchanged.
process.env.EDGEREEL_TEST_CLOUD = 'aws'
afterAll(async () => {
  delete process.env.EDGEREEL_TEST_CLOUD
  await closeAwsRigs() // The last to run, as it is the first to be named.
})
await import('../cloud-api.test.ts')
