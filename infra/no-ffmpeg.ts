import { missingFfmpeg } from './ffmpeg-binary.ts'

// Runs in place of the making of the FFmpeg layer when there is none to be made: `cdk deploy` stops with this.
process.stderr.write(missingFfmpeg(process.argv[2] === 'x86_64' ? 'x86_64' : 'arm64'))
process.exitCode = 1
