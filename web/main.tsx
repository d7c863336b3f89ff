import './style/main.css'
import { render } from 'preact'
import { App } from './app.tsx'
import { applyTheme } from './preferences.ts'
import { applyLanguage } from './text/text.ts'

applyTheme()
applyLanguage()
const root = document.getElementById('page')
if (root) render(<App />, root)
