import { expect, test } from 'vitest'
import { createBmc } from '../src/bmc/bmc.ts'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import { Renderings } from '../src/http/rendering.ts'
import { uris } from '../src/redfish/uris.ts'

test('a body that is kept keeps no memory but its own', () => {
  const bmc = createBmc('1', loadMachine('rackmount'), new Map())
  const resource = bmc.machine.resources.get(uris.system('1'))
  const row = { path: uris.system('1'), type: 'mockup', view: () => resource } as const
  const rendering = new Renderings(0).get(bmc, row.path, row, row.view)
  expect(rendering?.body.byteLength).toBeGreaterThan(100)
  expect(rendering?.body.buffer.byteLength).toBe(rendering?.body.byteLength)
})
