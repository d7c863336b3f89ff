import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Annotations, AssetHashType, DockerImage, Stack } from 'aws-cdk-lib'
import { Architecture, CfnLayerVersion, Code, type ILayerVersion, LayerVersion } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { checkFfmpeg, findFfmpeg, missingFfmpeg } from './ffmpeg-binary.ts'
import type { Settings } from './settings.ts'

/** `/opt/bin/ffmpeg`. Without a binary the template is the same, but its asset cannot be published. */
export function ffmpegLayer(scope: Construct, settings: Settings): ILayerVersion {
  const path = findFfmpeg(settings)
  if (path === undefined) return missingLayer(scope, settings)
  const bytes = checkFfmpeg(path, settings.arch)
  return new LayerVersion(scope, 'Ffmpeg', {
    description: 'A static ffmpeg at /opt/bin/ffmpeg',
    compatibleArchitectures: [architectureOf(settings)],
    code: Code.fromAsset(join(path, '..'), {
      assetHash: createHash('sha256').update(bytes).digest('hex'),
      assetHashType: AssetHashType.CUSTOM,
      bundling: {
        image: DockerImage.fromRegistry('none'), // Never used: a copy needs no container.
        local: {
          tryBundle(output) {
            mkdirSync(join(output, 'bin'))
            copyFileSync(path, join(output, 'bin/ffmpeg'))
            chmodSync(join(output, 'bin/ffmpeg'), 0o755)
            return true
          },
        },
      },
    }),
  })
}

/** Its asset is made by a program when it is published, and that program only says what is missing. */
function missingLayer(scope: Construct, { arch }: Settings): ILayerVersion {
  const stack = Stack.of(scope)
  Annotations.of(scope).addWarningV2('edgereel:ffmpeg', `${missingFfmpeg(arch)} Until then deploy stops.`)
  const program = ['node', 'infra/no-ffmpeg.ts', arch]
  const asset = stack.synthesizer.addFileAsset({
    sourceHash: createHash('sha256').update(program.join(' ')).digest('hex'),
    executable: program,
  })
  const layer = new CfnLayerVersion(scope, 'Ffmpeg', {
    description: 'A static ffmpeg at /opt/bin/ffmpeg',
    compatibleArchitectures: [architectureOf({ arch }).name],
    content: { s3Bucket: asset.bucketName, s3Key: asset.objectKey },
  })
  return LayerVersion.fromLayerVersionArn(scope, 'FfmpegMissing', layer.ref)
}

export function architectureOf({ arch }: Pick<Settings, 'arch'>): Architecture {
  return arch === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64
}
