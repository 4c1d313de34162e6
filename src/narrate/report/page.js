(function () {
  "use strict";
  var root = document.documentElement;
  var english = document.getElementById("in-en");
  var chinese = document.getElementById("in-zh");
  // Where a style sheet cannot ask which is chosen, data-say tells it.
  function say() {
    root.dataset.say = chinese.checked ? "zh" : "en";
    root.lang = chinese.checked ? "zh-Hans" : "en";
    document.title = chinese.checked ? root.dataset.titleZh
                                     : root.dataset.titleEn;
  }
  english.addEventListener("change", say);
  chinese.addEventListener("change", say);
  say();
  // On paper nothing can be opened.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (details) { details.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (details) { details.open = false; });
    opened = [];
  });
  // Where a link leads into something closed, it is opened.
  function reveal() {
    var target = document.getElementById(location.hash.slice(1));
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") { at.open = true; }
    }
  }
  window.addEventListener("hashchange", reveal);
  reveal();
})();
