// All that the page says, in both languages.

const EN = {
  skip: "Skip to the pictures", views: "Views", photos: "Photos", map: "Map", try: "Try it", settings: "Settings and more",
  hint: "What does the picture show?", hintShort: "Search photos", search: "Search in words", addPicture: "Search with a picture", filters: "Filters",
  dropHere: "Drop a picture to search with it", selection: "Selected pictures", picture: "Picture", keys: "Keyboard", signIn: "Sign in",
  count: (n, more) => n === 1 ? "1 picture" : `${n.toLocaleString("en")}${more ? "+" : ""} pictures`, likely: (n, more) => !n ? "No likely picture" : n === 1 ? "1 likely picture" : `${n.toLocaleString("en")}${more ? "+" : ""} likely pictures`,
  searching: "Looking …", nothing: "Nothing found", noneLikely: words => `Nothing here is likely to show “${words}”.`, nearest: words => `Nothing here is likely to show “${words}”. The nearest:`, lessLikely: "Less likely from here", onlyLikely: "Only likely ones", showNearest: "Show the nearest", byName: "by its name",
  nothingFiltered: "Nothing passes these filters.", clearFilters: "Clear the filters", noTime: "There is no time between these two days.", nothingNamed: "No file and no folder has such a name.", untagged: (tag, near) => `No picture is tagged “${tag}”.${near ? ` Did you mean “${near}”?` : ""}`,
  kind: "Search among", texts: "Texts", countedTexts: (n, more) => n === 1 ? "1 text found" : `${n.toLocaleString("en")}${more ? "+" : ""} texts found`, showMore: "Show more", picturesFor: "Pictures that fit this text",
  askTexts: "Type words or add a picture: the texts nearest to it are listed.", noTexts: "There are no texts here.",
  emptyTitle: "No pictures yet", emptyWhy: "Tell SeeSay where your pictures are: end the server and start it anew with your folder behind what you started it with.", emptyHow: "seesay serve … FOLDER", faulty: "This search cannot be read",
  oddPart: "Here, words were expected. Words that hold signs such as + or - need quotation marks.", openQuote: "This quotation mark has no end.", nameWeight: "A name has no weight: pictures have it or not.", oddWeight: "A weight is one number before its words, from 0.001 to 1000, as in 0.5*dog. Words with such signs need quotation marks.",
  unreadable: names => `${names.map(name => name || "The picture").join(", ")} cannot be read as a picture.`, mostPictures: "A search takes at most 16 pictures.", notShown: "This picture cannot be shown.",
  faults: {}, reasons: [], kinds: {}, comma: ", ", failed: "Something went wrong", gone: "The server does not answer. Trying again …", back: "The server is there again",
  including: "with", without: "without", toggleSign: "With or without it", weight: "How much it counts", remove: "Remove", clear: "Clear", likeThis: "like this",
  moreLikeThis: "More like this", lost: "Pictures that you dropped are not kept when the page is loaded anew.",
  folder: "Folder", anyFolder: "All folders", from: "From", until: "Until", camera: "Camera", anyCamera: "Any camera", shape: "Shape", anyShape: "Any shape",
  landscape: "Wide", portrait: "Tall", square: "Square", minimum: "Shorter side at least", anySize: "Any size", tag: "Tag", anyTag: "Any tag", order: "Order", fileName: "Name", fileNameHint: "file or folder",
  score: "Best first", newest: "Newest first", oldest: "Oldest first", name: "By name", place: "Place", anyPlace: "Any place", box: "A box of your own", here: (latitude, longitude) => `${Math.abs(latitude).toFixed(2)}° ${latitude < 0 ? "S" : "N"}, ${Math.abs(longitude).toFixed(2)}° ${longitude < 0 ? "W" : "E"}`,
  placeWhy: "South, west, north, east in degrees, such as 47.2, 8.3, 47.5, 8.8. South and north from -90 to 90, west and east from -180 to 180.",
  more: "More", apply: "Done", reset: "Reset", undated: "Without a date",
  close: "Close", previous: "Previous", next: "Next", download: "Download", size: "Size", date: "Taken", file: "File", copies: "Copies", position: "Position",
  match: "Match", tags: "Tags", addTag: "Add a tag", removeTag: tag => `Remove the tag ${tag}`, labels: "What it shows, of everyday things", notThere: "Its file is not there now.",
  select: name => `Select ${name}`, open: name => `Open ${name}`, selected: n => `${n.toLocaleString("en")} selected`, selectAll: "Select all", exportZip: "Download as ZIP", exportList: "Save a list",
  copyNames: "Copy names", copied: "Copied", notCopied: "The browser does not let the page copy. Save a list instead.", fetching: "Fetching …", fetched: (n, all) => `${n.toLocaleString("en")} of ${all.toLocaleString("en")}`, stop: "Stop", tagThem: "Tag …", tagged: n => `${n} tagged`, mostZip: "At most 1,000 at once",
  language: "Language", theme: "Colours", system: "As the system", light: "Light", dark: "Dark", lookForNew: "Look for new pictures", failures: n => `Unreadable files (${n})`, passedOver: n => `Passed over (${n.toLocaleString("en")})`, signOut: "Sign out", forPrograms: "For programs: the routes",
  indexing: (done, total) => total ? `Reading pictures: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}` : "Looking for pictures …",
  indexed: (added, removed) => `Up to date: ${added} new, ${removed} gone`, indexFailed: "Reading pictures ended early:",
  key: "The server's key", wrongKey: "This is not the key", enter: "Sign in", keyWhy: "This server takes a key. Whoever runs it can tell you.",
  working: "Drawing the map …", fewForMap: "There are too few pictures for a map yet.", mapKeys: "Map. Arrow keys go from picture to picture, Enter opens one.", leftOut: n => `${n.toLocaleString("en")} more are not drawn`, find: "Name or date", nearer: "Nearer", farther: "Farther", everything: "Everything",
  duplicates: "Duplicates", duplicatesWhy: "Pictures that are there more than once: the same bytes, or the same picture resized, recompressed, turned or marked. Nothing is deleted here: choose what stays, copy the paths of the rest, and delete those with the programs you trust. Then look for new pictures.",
  comparing: "Comparing pictures …", noDuplicates: "No picture is there twice", noDuplicatesWhy: "Neither the same bytes, nor the same picture resized, recompressed or turned.", keep: "Keep", notKept: "Not needed", onlyThis: "Only this", oneStays: "One of each stays.", sameBytes: "same bytes", alike: "the same picture, other bytes",
  beside: (n, size) => n ? `${n.toLocaleString("en")} ${n === 1 ? "file" : "files"} (${size}) beside those to keep` : "All are to be kept", copyPaths: "Copy their paths", copiedPaths: n => `${n.toLocaleString("en")} ${n === 1 ? "path" : "paths"} copied`,
  tryTitle: "What is it?", tryWhy: "Choose a picture and write what it could be, one a line. The model says how likely each is among these.",
  choose: "Choose a picture", orDrop: "or drop or paste one", ofLibrary: "or take one of yours", yourLabels: "What it could be", addLine: "Write at least two lines.",
  matrixTitle: "Pictures and words", matrixWhy: "How near each text is to each picture (cosine): the larger, the better it fits.", yourTexts: "Texts, one a line", addPictures: "Add pictures",
  defaultLabels: "a photo of a dog\na photo of a cat\na plate of food\na city street\na mountain\na person\na drawing", defaultTexts: "a dog on grass\na plate of food\na person smiling\na building",
  keyList: [["/", "Search"], ["← ↑ → ↓", "Move"], ["Enter", "Open"], ["Space, x, long press", "Select"], ["m", "More like this"], ["Esc", "Close, clear"], ["?", "This list"]],
};

const ZH = {
  skip: "跳到图片", views: "视图", photos: "照片", map: "地图", try: "试一试", settings: "设置与更多",
  hint: "图片里有什么？", hintShort: "图片里有什么？", search: "用文字搜索", addPicture: "用图片搜索", filters: "筛选",
  dropHere: "放开即可用这张图片搜索", selection: "已选图片", picture: "图片", keys: "键盘", signIn: "登录",
  count: (n, more) => `${n.toLocaleString("zh")}${more ? "+" : ""} 张图片`, likely: (n, more) => n ? `${n.toLocaleString("zh")}${more ? "+" : ""} 张可能符合的图片` : "没有可能符合的图片",
  searching: "正在查找……", nothing: "没有找到", noneLikely: words => `这里没有图片像是“${words}”。`, nearest: words => `这里没有图片像是“${words}”。最接近的：`, lessLikely: "以下可能性较低", onlyLikely: "只看可能符合的", showNearest: "显示最接近的", byName: "名称相符",
  nothingFiltered: "没有内容符合这些筛选条件。", clearFilters: "清除筛选条件", noTime: "这两个日期之间没有时间。", nothingNamed: "没有文件或文件夹叫这个名称。", untagged: (tag, near) => `没有图片带有标签“${tag}”。${near ? `您是指“${near}”吗？` : ""}`,
  kind: "搜索范围", texts: "文字", countedTexts: (n, more) => `找到 ${n.toLocaleString("zh")}${more ? "+" : ""} 段文字`, showMore: "显示更多", picturesFor: "查找符合这段文字的图片",
  askTexts: "输入文字或添加图片，将列出最接近的文字。", noTexts: "这里没有文字。",
  emptyTitle: "还没有图片", emptyWhy: "告诉 SeeSay 您的图片在哪里：停止服务器，在原来的启动命令后面加上您的文件夹，再启动一次。", emptyHow: "seesay serve … 文件夹", faulty: "无法理解这个搜索",
  oddPart: "这里应为文字。文字中若有 + 或 - 等符号，请加引号。", openQuote: "这个引号没有结束。", nameWeight: "名称没有权重：图片要么有，要么没有。", oddWeight: "权重是文字前的一个数，从 0.001 到 1000，例如 0.5*狗。文字中若有这些符号，请加引号。",
  unreadable: names => `无法作为图片读取：${names.map(name => name || "这张图片").join("、")}。`, mostPictures: "一次搜索最多用 16 张图片。", notShown: "无法显示这张图片。",
  faults: { too_late: "服务器用时太久，已放弃。", already_indexing: "正在查找新图片。", no_library: "图库是空的。", missing_extra: "服务器缺少所需的组件，请向管理者索取。", file_missing: "文件现在不在。", unreadable_picture: "无法读取这张图片。",
    overloaded: "服务器正忙，请稍后再试。", conflict: "图库正在更新，请稍后再试。", not_found: "图库中没有这张图片，或它的文件现在不在。", unavailable: "服务器现在做不到，请查看它的日志。", server_error: "服务器出错了，请查看它的日志。", authentication_error: "此服务器需要密钥。", library_locked: "另一个程序正在写入图库，请稍后再试。", library_of_another_model: "图库是用另一个模型建立的，请管理者重新建立索引。", library_unusable: "无法读写图库，请查看服务器的日志。", shutting_down: "服务器正在关闭。" },
  kinds: {
    "video": ["视频", "此版本不读取视频，可索引其截图"], "Live Photo video": ["实况照片的视频", "属于旁边的图片"],
    "raw photo": ["RAW 原始照片", "请冲洗或将其预览导出为 JPEG"], "raw photo beside its picture": ["旁边有图片的 RAW 原始照片", "旁边的图片内容相同"],
    "HEIC picture": ["HEIC 图片", "安装后即可读取：pip install pi-heif-decoder"], "JPEG XL picture": ["JPEG XL 图片", "请转换，例如：djxl IN.jxl OUT.png"],
    "picture of another kind": ["其他格式的图片", "请转换为 JPEG 或 PNG"], "link to a folder": ["指向文件夹的链接", "不跟随链接，请直接索引该文件夹"] },
  reasons: [[/^is empty/, "是空文件（0 字节）"], [/^no such file/, "没有这个文件"], [/^no permission/, "没有读取它的权限"], [/^cannot be read/, "无法读取"], [/^is ([\d,]+) MB; at most ([\d,]+)/, "有 $1 MB，最多读取 $2 MB"],
    [/million pixels/, "像素太多，超出可读取的范围"], [/^does not fit into memory/, "内存不足"], [/^is damaged/, "已损坏或不完整"], [/^is a video/, "是视频，无法读取"], [/^is a HEIC/, "是 HEIC 图片，安装后即可读取：pip install pi-heif-decoder"], [/^took longer/, "解码时间过长，已放弃"], [/^has [\d,]+ scans|^is in [\d,]+ parts/, "结构异常，解码会耗费过多时间"], [/^is not a picture/, "不是可读取的图片"], [/has no pixels/, "没有像素"],
    [/^is not UTF-8/, "不是 UTF-8 文本，请以 UTF-8 保存"], [/^holds zero bytes/, "不是文本文件"], [/^holds no texts/, "里面没有文字"], [/^holds \d+ texts/, "文字太多，请拆分文件"], [/^has (\d+) columns/, "有 $1 列，但没有一列名为 text 或 caption"], [/^line (\d+):/, "第 $1 行有误"]], comma: "、", failed: "出错了", gone: "服务器没有响应，正在重试……", back: "服务器已恢复",
  including: "包含", without: "排除", toggleSign: "包含或排除", weight: "权重", remove: "移除", clear: "清除", likeThis: "与此相似",
  moreLikeThis: "更多相似图片", lost: "重新加载页面后，拖入的图片不会保留。",
  folder: "文件夹", anyFolder: "所有文件夹", from: "从", until: "到", camera: "相机", anyCamera: "任意相机", shape: "形状", anyShape: "任意形状",
  landscape: "横向", portrait: "纵向", square: "方形", minimum: "短边至少", anySize: "任意大小", tag: "标签", anyTag: "任意标签", order: "排序", fileName: "名称", fileNameHint: "文件或文件夹",
  score: "最相关在前", newest: "最新在前", oldest: "最早在前", name: "按名称", place: "地点", anyPlace: "任意地点", box: "自定义范围", here: (latitude, longitude) => `${latitude < 0 ? "南纬" : "北纬"} ${Math.abs(latitude).toFixed(2)}°，${longitude < 0 ? "西经" : "东经"} ${Math.abs(longitude).toFixed(2)}°`,
  placeWhy: "南、西、北、东，以度为单位，例如 47.2, 8.3, 47.5, 8.8。南、北从 -90 到 90，西、东从 -180 到 180。",
  more: "更多", apply: "完成", reset: "重置", undated: "没有日期",
  close: "关闭", previous: "上一张", next: "下一张", download: "下载", size: "大小", date: "拍摄时间", file: "文件", copies: "副本", position: "位置",
  match: "匹配", tags: "标签", addTag: "添加标签", removeTag: tag => `移除标签 ${tag}`, labels: "它像什么（日常事物）", notThere: "文件现在不在。",
  select: name => `选择 ${name}`, open: name => `打开 ${name}`, selected: n => `已选 ${n.toLocaleString("zh")} 张`, selectAll: "全选", exportZip: "下载 ZIP", exportList: "保存列表",
  copyNames: "复制文件名", copied: "已复制", notCopied: "浏览器不允许页面复制，请改为保存列表。", fetching: "正在获取……", fetched: (n, all) => `${n.toLocaleString("zh")} / ${all.toLocaleString("zh")}`, stop: "停止", tagThem: "加标签……", tagged: n => `已标记 ${n} 张`, mostZip: "一次最多 1,000 张",
  language: "语言", theme: "颜色", system: "跟随系统", light: "浅色", dark: "深色", lookForNew: "查找新图片", failures: n => `无法读取的文件（${n}）`, passedOver: n => `跳过的文件（${n}）`, signOut: "退出登录", forPrograms: "供程序使用的接口",
  indexing: (done, total) => total ? `正在读取图片：${done.toLocaleString("zh")} / ${total.toLocaleString("zh")}` : "正在查找图片……",
  indexed: (added, removed) => `已更新：新增 ${added}，减少 ${removed}`, indexFailed: "读取图片提前结束：",
  key: "服务器密钥", wrongKey: "密钥不正确", enter: "登录", keyWhy: "此服务器需要密钥，请向管理者索取。",
  working: "正在绘制地图……", fewForMap: "图片还太少，画不成地图。", mapKeys: "地图。方向键在图片间移动，回车键打开图片。", leftOut: n => `另有 ${n.toLocaleString("zh")} 张未绘制`, find: "名称或日期", nearer: "放大", farther: "缩小", everything: "全部",
  duplicates: "重复图片", duplicatesWhy: "出现不止一次的图片：内容完全相同，或同一张图片经过缩放、重新压缩、旋转或标注。这里不会删除任何文件：请选择要保留的，复制其余文件的路径，用您信任的程序删除，然后查找新图片。",
  comparing: "正在比较图片……", noDuplicates: "没有重复的图片", noDuplicatesWhy: "既没有内容相同的文件，也没有经过缩放、重新压缩或旋转的同一张图片。", keep: "保留", notKept: "不需要", onlyThis: "只留这张", oneStays: "每组至少保留一张。", sameBytes: "内容相同", alike: "同一张图片，内容不同",
  beside: (n, size) => n ? `要保留的之外还有 ${n.toLocaleString("zh")} 个文件（${size}）` : "全部保留", copyPaths: "复制它们的路径", copiedPaths: n => `已复制 ${n.toLocaleString("zh")} 条路径`,
  tryTitle: "这是什么？", tryWhy: "选择一张图片，每行写一种可能。模型会给出每种可能的概率。",
  choose: "选择图片", orDrop: "或拖入、粘贴一张", ofLibrary: "或用您的一张图片", yourLabels: "可能是什么", addLine: "请至少写两行。",
  matrixTitle: "图片与文字", matrixWhy: "每段文字与每张图片有多接近（余弦）：越大越匹配。", yourTexts: "文字，每行一段", addPictures: "添加图片",
  defaultLabels: "一只狗\n一只猫\n一盘食物\n城市街道\n一座山\n一个人\n一幅画", defaultTexts: "草地上的狗\n一盘食物\n微笑的人\n一座建筑",
  keyList: [["/", "搜索"], ["← ↑ → ↓", "移动"], ["Enter", "打开"], ["空格、x、长按", "选择"], ["m", "更多相似图片"], ["Esc", "关闭、清除"], ["?", "显示此列表"]],
};

const NARROW = matchMedia("(max-width: 560px)"); // where a hint is cut
NARROW.addEventListener("change", () => translate(document));

const ALL = { en: EN, zh: ZH };
const kept = localStorage.getItem("language");
export let language = kept in ALL ? kept : (navigator.languages ?? [navigator.language]).some(one => /^zh/i.test(one)) && !/^en/i.test(navigator.language) ? "zh" : "en";

export function t(name, ...given) {
  const said = ALL[language][name];
  return typeof said === "function" ? said(...given) : said;
}

// What went wrong, for people: by the server's code or kind of fault where the page has words for it.
export function told(fault) {
  const own = t("faults");
  return fault.status === 0 ? t("gone") : own[fault.code] ?? own[fault.type] ?? (fault.message || t("failed"));
}

// Why a file could not be read, as the library says it: in the page's language where it has words for it.
export function reason(said) {
  const [known, own] = t("reasons").find(([known]) => known.test(said)) ?? [];
  return own ? own.replace(/\$(\d)/g, (_, at) => known.exec(said)[at]) : said;
}

export function speak(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  translate(document);
}

export function translate(root) {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const each of root.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of root.querySelectorAll("[data-t-label]")) {
    each.setAttribute("aria-label", t(each.dataset.tLabel));
    if (each.tagName === "BUTTON") each.title = t(each.dataset.tLabel);
  }
  for (const each of root.querySelectorAll("[data-t-hint]")) each.placeholder = t(NARROW.matches ? `${each.dataset.tHint}Short` : each.dataset.tHint);
}
