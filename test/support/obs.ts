import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type ObsOptions = {
  /** `rtmp://host:port/app`. */
  server: string
  /** The stream's name, with its query. */
  key: string
  /** What it shows and plays, over and over. */
  file: string
}

const size = { width: 640, height: 360 }

/** OBS Studio on a display that is not there, streaming from its start until disposed. */
export class Obs implements AsyncDisposable {
  /** What it says: its log. */
  output = ''
  readonly #home: string
  readonly #children: ChildProcess[]

  private constructor(home: string, children: ChildProcess[]) {
    this.#home = home
    this.#children = children
  }

  static async start(options: ObsOptions): Promise<Obs> {
    const home = await mkdtemp(join(tmpdir(), 'edgereel-obs-'))
    await configure(join(home, '.config/obs-studio'), options)
    const display = `:${100 + (process.pid % 500)}`
    const xvfb = spawn('Xvfb', [display, '-screen', '0', '1280x720x24'], { stdio: 'ignore' })
    await sleep(1500)
    const env = {
      ...process.env,
      HOME: home,
      XDG_RUNTIME_DIR: home,
      DISPLAY: display,
      LIBGL_ALWAYS_SOFTWARE: '1',
    }
    const chosen = ['--profile', 'judge', '--collection', 'judge', '--disable-missing-files-check']
    const obs = spawn('obs', ['--multi', '--startstreaming', ...chosen], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const started = new Obs(home, [obs, xvfb])
    for (const stream of [obs.stdout, obs.stderr])
      stream.on('data', (bytes: Buffer) => {
        started.output += bytes.toString()
      })
    return started
  }

  /** Killed: asked to end while it streams, it asks back in a window. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    }
    await rm(this.#home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

/** A profile that streams with B-frames, and a scene with one media source. */
async function configure(directory: string, { server, key, file }: ObsOptions): Promise<void> {
  const profile = join(directory, 'basic/profiles/judge')
  const scenes = join(directory, 'basic/scenes')
  await mkdir(profile, { recursive: true })
  await mkdir(scenes, { recursive: true })
  await writeFile(
    join(directory, 'global.ini'),
    ini({
      General: { FirstRun: true, EnableAutoUpdates: false, LastVersion: 486_539_266 },
      Basic: {
        Profile: 'judge',
        ProfileDir: 'judge',
        SceneCollection: 'judge',
        SceneCollectionFile: 'judge',
      },
      OBSWebSocket: { FirstLoad: false, ServerEnabled: false },
    }),
  )
  const { width, height } = size
  await writeFile(
    join(profile, 'basic.ini'),
    ini({
      General: { Name: 'judge' },
      Video: { BaseCX: width, BaseCY: height, OutputCX: width, OutputCY: height, FPSType: 0, FPSCommon: 30 },
      Audio: { SampleRate: 48_000, ChannelSetup: 'Stereo' },
      Output: { Mode: 'Advanced', Reconnect: true, RetryDelay: 1, MaxRetries: 20 },
      AdvOut: { Encoder: 'obs_x264', ApplyServiceSettings: true, TrackIndex: 1, Track1Bitrate: 128 },
    }),
  )
  const encoder = { bitrate: 800, keyint_sec: 1, preset: 'ultrafast', profile: 'main', x264opts: 'bframes=2' }
  const service = { type: 'rtmp_custom', settings: { server, key, use_auth: false } }
  const media = { is_local_file: true, local_file: file, looping: true, restart_on_activate: true }
  const item = { id: 1, name: 'clip', visible: true, pos: { x: 0, y: 0 }, scale: { x: 1, y: 1 }, align: 5 }
  const scene = {
    name: 'judge',
    current_scene: 'Scene',
    current_program_scene: 'Scene',
    scene_order: [{ name: 'Scene' }],
    sources: [
      { id: 'scene', name: 'Scene', settings: { id_counter: 1, items: [item] } },
      { id: 'ffmpeg_source', name: 'clip', enabled: true, volume: 1, mixers: 255, settings: media },
    ],
  }
  await writeFile(join(profile, 'streamEncoder.json'), JSON.stringify({ rate_control: 'CBR', ...encoder }))
  await writeFile(join(profile, 'service.json'), JSON.stringify(service))
  await writeFile(join(scenes, 'judge.json'), JSON.stringify(scene))
}

function ini(sections: Record<string, Record<string, string | number | boolean>>): string {
  return Object.entries(sections)
    .map(
      ([name, values]) =>
        `[${name}]\n${Object.entries(values)
          .map(([key, value]) => `${key}=${value}\n`)
          .join('')}`,
    )
    .join('\n')
}
