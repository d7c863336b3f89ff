import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { Annotations, AssetHashType, DockerImage, Stack } from 'aws-cdk-lib'
import { Architecture, CfnLayerVersion, Code, type ILayerVersion, LayerVersion } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { readElf } from './elf.ts'
import type { Settings } from './settings.ts'

const bytesMax = 180 * 1024 * 1024 // A function and its layers unpack to 250 MB at most; the largest bundle has 8.

/** What `deploy` says when there is no FFmpeg, and `synth` warns of. */
export const missingFfmpeg = (arch: Settings['arch']) =>
  `There is no FFmpeg for the functions: put a static Linux ${arch} binary at layers/ffmpeg/${arch}/ffmpeg, or name one with -c ffmpeg=PATH (docs/operations.md, Deploy).`

/** The setting, then `layers/ffmpeg/<arch>/ffmpeg`, then the package ffmpeg-static if it is of that architecture. */
export function findFfmpeg({ ffmpeg, arch }: Pick<Settings, 'ffmpeg' | 'arch'>): string | undefined {
  if (ffmpeg !== undefined) return resolve(ffmpeg)
  const own = resolve('layers/ffmpeg', arch, 'ffmpeg')
  if (existsSync(own)) return own
  const packaged = staticFfmpeg()
  return packaged !== undefined && readElf(readFileSync(packaged))?.arch === arch ? packaged : undefined
}

function staticFfmpeg(): string | undefined {
  try {
    const path: unknown = createRequire(import.meta.url)('ffmpeg-static')
    return typeof path === 'string' && existsSync(path) ? path : undefined
  } catch {
    return undefined // Not installed, or its download had failed.
  }
}

/** Throws a sentence when the file is there but would not run in Lambda. */
export function checkFfmpeg(path: string, arch: Settings['arch']): Buffer {
  if (!existsSync(path)) throw new Error(`There is no file ${path}: name another FFmpeg with -c ffmpeg=PATH.`)
  const bytes = readFileSync(path)
  const elf = readElf(bytes)
  if (!elf) throw new Error(`${path} is not a Linux program: take a static Linux ${arch} build of FFmpeg.`)
  if (elf.arch !== arch)
    throw new Error(`${path} is for ${elf.arch}, the functions are ${arch}: take the ${arch} build.`)
  if (elf.isDynamic)
    throw new Error(`${path} needs shared libraries, which Lambda does not have: take a static build.`)
  if (bytes.length > bytesMax)
    throw new Error(`${path} has ${bytes.length} bytes, at most ${bytesMax} fit a function.`)
  return bytes
}

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
  const say = `process.stderr.write(${JSON.stringify(missingFfmpeg(arch))});process.exit(1)`
  const asset = stack.synthesizer.addFileAsset({
    sourceHash: createHash('sha256').update(say).digest('hex'),
    executable: ['node', '-e', say],
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
