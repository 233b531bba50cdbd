import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { KeyPair } from './certificate.ts'

/** Reads a certificate chain and its key (PEM). Throws an Error that says which file is wrong. */
export function readKeyPair(certFile: string, keyFile: string): KeyPair {
  const cert = read(certFile, (text) => new X509Certificate(text))
  const key = read(keyFile, (text) => createPrivateKey(text))
  if (!cert.parsed.checkPrivateKey(key.parsed)) throw new Error(`${keyFile} is not the key of ${certFile}`)
  return { cert: cert.text, key: key.text }
}

function read<T>(file: string, parse: (text: string) => T): { readonly text: string; readonly parsed: T } {
  try {
    const text = readFileSync(file, 'utf8')
    return { text, parsed: parse(text) }
  } catch (error) {
    throw new Error(`cannot use ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
