import { expect, test } from 'vitest'
import { hlsPlaylist } from '../../../../cloud/api/playlist.ts'
import { newSegmentRow, type SegmentRow } from '../../../../cloud/rows/segment.ts'
import { sealSegment, unitOf } from '../../../support/segment-fixture.ts'
import { syntheticPicture, syntheticVideo } from '../../../support/synthetic.ts'

const epoch = 1_772_366_400_000

function row(seq: number, more: Partial<SegmentRow> = {}): SegmentRow {
  const units = Array.from({ length: 10 }, (_, i) => unitOf(syntheticPicture(seq * 10 + i)))
  const { manifest } = sealSegment({ agent: 'lab', stream: 'cam', epoch, seq, units, video: syntheticVideo })
  const media = {
    key: `media/${seq}.mp4`,
    sizeBytes: 5000,
    headerBytes: 1400,
    map: { offset: 720, sizeBytes: 680 },
    continuous: true,
    durationMs: 1000,
    audio: false,
  }
  return { ...newSegmentRow(manifest, 0), config: 'a', media, ...more }
}
const discontinuities = (rows: SegmentRow[]) =>
  hlsPlaylist(rows, { closed: true, fromMs: epoch, urlOf }).match(/#EXT-X-DISCONTINUITY\n#EXT-X-MAP/g)
    ?.length ?? 0
const urlOf = (segment: string) => `segments/cam/${segment}.mp4`

test('names every segment with its length and its date, behind one initialisation section', () => {
  expect(hlsPlaylist([row(0), row(1)], { closed: true, fromMs: epoch, urlOf }).split('\n')).toEqual([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-TARGETDURATION:1',
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    '#EXT-X-MAP:URI="segments/cam/1772366400000-000000.mp4",BYTERANGE="680@720"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.000Z',
    '#EXTINF:1.000,',
    '#EXT-X-BYTERANGE:3600@1400',
    'segments/cam/1772366400000-000000.mp4',
    '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:01.000Z',
    '#EXTINF:1.000,',
    '#EXT-X-BYTERANGE:3600@1400',
    'segments/cam/1772366400000-000001.mp4',
    '#EXT-X-ENDLIST',
    '',
  ])
})

test('leaves out what is no MP4 yet, and stays open while the recording is', () => {
  const { media: _, ...raw } = row(1)
  const text = hlsPlaylist([row(0), raw], { closed: false, fromMs: epoch, urlOf })
  expect(text).toContain('#EXT-X-PLAYLIST-TYPE:EVENT')
  expect(text).not.toContain('000001')
  expect(text).not.toContain('ENDLIST')
})

test('says nothing of independence when a segment begins in mid-GOP', () => {
  const text = hlsPlaylist([row(0), row(1, { continues: true })], { closed: true, fromMs: epoch, urlOf })
  expect(text).not.toContain('INDEPENDENT')
})

test.each<[string, Partial<SegmentRow>]>([
  ['another codec configuration', { config: 'b' }],
  ['another epoch', { epoch: epoch + 1 }],
  ['a gap before it', { gapBefore: { from: 0, to: 1, cause: 'source-lost' } }],
  ['a missing neighbour', { seq: 2 }],
])('%s begins anew', (_name, more) => {
  expect(discontinuities([row(0), row(1), row(2)])).toBe(0)
  expect(discontinuities([row(0), row(1, more)])).toBe(1)
})

test('sound that joins, and media time of its own, begin anew', () => {
  const { media } = row(1)
  if (!media) throw new Error('no media')
  expect(discontinuities([row(0), row(1, { media: { ...media, audio: true } })])).toBe(1)
  expect(discontinuities([row(0), row(1, { media: { ...media, continuous: false } })])).toBe(1)
})

test('tells players to begin where the recording does, which is within the first segment', () => {
  const rows = [row(0), row(1)]
  const text = hlsPlaylist(rows, { closed: true, fromMs: epoch + 437, urlOf })
  expect(text).toContain('\n#EXT-X-START:TIME-OFFSET=0.437,PRECISE=YES\n')
  for (const fromMs of [epoch, epoch - 5000])
    expect(hlsPlaylist(rows, { closed: true, fromMs, urlOf })).not.toContain('EXT-X-START')
  expect(hlsPlaylist([], { closed: true, fromMs: epoch, urlOf })).not.toContain('EXT-X-START')
})
