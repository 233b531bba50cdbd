import { describe, expect, onTestFinished, test } from 'vitest'
import type { FlashResult } from '../../src/devices/flasher.ts'
import type { EmulatorOptions } from '../../src/index.ts'
import { bundleOf } from '../support/images.ts'
import { startPeer } from '../support/redfish-peer.ts'

const shapes = ['job', 'pending', 'completed'] as const

async function start(options: Parameters<typeof startPeer>[0] = {}) {
  const peer = await startPeer(options)
  onTestFinished(() => peer.adapter.close())
  return peer
}

/** What came of it, in a word for each stage: `ok`, the version that runs, or the keys of the messages. */
function words(results: readonly FlashResult[]): string[] {
  return results.map((result) => {
    if (result.ok) return result.value?.version ?? 'ok'
    const { problem } = result
    if (problem.kind !== 'failed') return problem.kind
    return (problem.why ?? []).map(({ MessageId }) => MessageId.replace(/\.[\d.]+\./, '.')).join(' ')
  })
}

describe.each(shapes)('where a wait for a reset is shown as %s, an update', (awaitReset) => {
  test.each([
    ['BIOS', '9.9.9', ['Systems/1']],
    ['BMC-Primary', '9.9.9', ['Managers/1']],
    ['NIC-1', '99.9.9', []],
  ])('of %s performs the resets that it asks for, and no other', async (id, version, expected) => {
    const peer = await start({ awaitReset })
    const results = await peer.update(id, await bundleOf({ [id]: version }), { version })
    expect(words(results)).toEqual(['ok', 'ok', 'ok', version])
    expect(peer.versionOf(id)).toBe(version)
    expect(peer.resets()).toEqual(expected)
  })

  test('that its device fails in the reset fails at last', async () => {
    const devices: EmulatorOptions['devices'] = { BIOS: { fail: { at: 'activate' } } }
    const peer = await start({ awaitReset, devices })
    const results = await peer.update('BIOS', await bundleOf({ BIOS: '9.9.9' }), { version: '9.9.9' })
    // Where its task had ended before the reset, only the version tells.
    const last = awaitReset === 'completed' ? '1.8.0' : 'Update.ActivateFailed'
    expect(words(results)).toEqual(['ok', 'ok', 'ok', last])
  })
})
