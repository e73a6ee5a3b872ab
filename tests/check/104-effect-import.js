// expect: JS-104@2
import './effects.js';
