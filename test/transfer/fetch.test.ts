import { expect, test } from 'vitest'
import { transferProtocols } from '../../src/transfer/fetch.ts'
import { parseImageFolders } from '../../src/transfer/image-folders.ts'

const always = ['HTTP', 'HTTPS', 'FTP', 'SFTP', 'SCP', 'TFTP']

test.each([
  ['', always],
  ['nfs://server/export=/srv', [...always, 'NFS', 'NSF']],
  ['smb://server/share=/srv', [...always, 'CIFS']],
  ['cifs://server/share=/srv, nfs://server/export=/srv', [...always, 'NFS', 'NSF', 'CIFS']],
])('with the folders %j these protocols work: %j', (folders, protocols) => {
  expect(transferProtocols(parseImageFolders(folders) ?? new Map()).toSorted()).toEqual(protocols.toSorted())
})
