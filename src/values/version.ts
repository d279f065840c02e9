/** The version in `package.json`, which this must repeat: the core reads no files. */
export const version = "0.1.0"
