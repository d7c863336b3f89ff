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
    sha256: '',
    initBytes: 700,
    durationMs: 1000,
    audio: false,
  }
  return { ...newSegmentRow(manifest, 0), media, ...more }
}
const urlOf = (segment: string) => `segments/cam/${segment}.mp4`

test('names every segment with its own init section, its length and its date', () => {
  expect(hlsPlaylist([row(0), row(1)], { closed: true, urlOf }).split('\n')).toEqual([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-TARGETDURATION:1',
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    '#EXT-X-MAP:URI="segments/cam/1772366400000-000000.mp4",BYTERANGE="700@0"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.000Z',
    '#EXTINF:1.000,',
    '#EXT-X-BYTERANGE:4300@700',
    'segments/cam/1772366400000-000000.mp4',
    '#EXT-X-DISCONTINUITY',
    '#EXT-X-MAP:URI="segments/cam/1772366400000-000001.mp4",BYTERANGE="700@0"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:01.000Z',
    '#EXTINF:1.000,',
    '#EXT-X-BYTERANGE:4300@700',
    'segments/cam/1772366400000-000001.mp4',
    '#EXT-X-ENDLIST',
    '',
  ])
})

test('leaves out what is no MP4 yet, and stays open while the recording is', () => {
  const { media: _, ...raw } = row(1)
  const text = hlsPlaylist([row(0), raw], { closed: false, urlOf })
  expect(text).toContain('#EXT-X-PLAYLIST-TYPE:EVENT')
  expect(text).not.toContain('000001')
  expect(text).not.toContain('ENDLIST')
})

test('says nothing of independence when a segment begins in mid-GOP', () => {
  const text = hlsPlaylist([row(0), row(1, { continues: true })], { closed: true, urlOf })
  expect(text).not.toContain('INDEPENDENT')
})
