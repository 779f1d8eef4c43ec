//! Tables of what is said about illness and treatment.

use super::CodeTable;

/// ABO blood groups (ABO血型).
pub static ABO_GROUPS: CodeTable = CodeTable {
    standard: "WS 364.9 CV04.50.005",
    entries: &[
        ("1", "A型", "A"),
        ("2", "B型", "B"),
        ("3", "O型", "O"),
        ("4", "AB型", "AB"),
        ("5", "不详", "unknown"),
    ],
};

/// Rh blood groups (RH血型).
pub static RH_GROUPS: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 42",
    entries: &[("1", "阳性", "positive"), ("2", "阴性", "negative"), ("3", "不详", "unknown")],
};

/// Index entries (记录标识).
pub static INDEX_FLAGS: CodeTable = CodeTable {
    standard: "应用接口技术规范 (2012), DF03",
    entries: &[("0", "有效", "valid"), ("255", "无效", "invalid")],
};

/// Serology items (血清学检查项目).
pub static SEROLOGY_ITEMS: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 73",
    entries: &[("0", "HBsAg", "HBsAg"), ("1", "HCV-Ab", "HCV-Ab"), ("2", "HIV-Ab", "HIV-Ab")],
};

/// Serology results (血清学检查结果).
pub static SEROLOGY_RESULTS: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 74",
    entries: &[("0", "未做", "not done"), ("1", "阴性", "negative"), ("2", "阳性", "positive")],
};

/// Outcomes of treatment (治疗结果). Only the values on which hospital software agrees (mark B2): from
/// 3 on some say "not cured", some "stable", and death has two numbers. Those are shown as unknown.
pub static OUTCOMES: CodeTable = CodeTable {
    standard: "WS 364.11 CV05.10.010",
    entries: &[("1", "治愈", "cured"), ("2", "好转", "improved")],
};

/// Anaesthesia (麻醉方法). From two hospital programs that agree (mark B2).
pub static ANAESTHESIA: CodeTable = CodeTable {
    standard: "WS 364.12 CV06.00.103",
    entries: &[
        ("1", "全身麻醉", "general"),
        ("11", "吸入麻醉", "inhalation"),
        ("12", "静脉麻醉", "intravenous"),
        ("13", "基础麻醉", "basal"),
        ("2", "椎管内麻醉", "neuraxial"),
        ("21", "蛛网膜下腔阻滞麻醉", "subarachnoid block"),
        ("22", "硬脊膜外腔阻滞麻醉", "epidural block"),
        ("3", "局部麻醉", "local"),
        ("31", "神经丛阻滞麻醉", "nerve plexus block"),
        ("32", "神经节阻滞麻醉", "ganglion block"),
        ("33", "神经阻滞麻醉", "nerve block"),
        ("34", "区域阻滞麻醉", "field block"),
        ("35", "局部浸润麻醉", "infiltration"),
        ("36", "表面麻醉", "topical"),
        ("4", "复合麻醉", "combined"),
        ("41", "静吸复合全麻", "intravenous and inhalation"),
        ("42", "针药复合麻醉", "acupuncture and drugs"),
        ("43", "神经丛与硬膜外阻滞复合麻醉", "plexus and epidural block"),
        ("44", "全麻复合全身降温", "general with hypothermia"),
        ("45", "全麻复合控制性降压", "general with controlled hypotension"),
        ("9", "其他麻醉方法", "other"),
    ],
};

/// Wound healing (切口愈合等级).
pub static WOUND_HEALING: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 88",
    entries: &[
        ("1", "甲级愈合", "grade A"),
        ("2", "乙级愈合", "grade B"),
        ("3", "丙级愈合", "grade C"),
        ("9", "其他", "other"),
    ],
};

/// Blood products (输血品种).
pub static TRANSFUSIONS: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 121",
    entries: &[
        ("1", "红细胞", "red cells"),
        ("2", "血小板", "platelets"),
        ("3", "血浆", "plasma"),
        ("4", "全血", "whole blood"),
        ("9", "其他", "other"),
    ],
};

/// Results of tests (检查/检验结果).
pub static TEST_RESULTS: CodeTable = CodeTable {
    standard: "文件结构表 (2012), item 255",
    entries: &[("1", "异常", "abnormal"), ("2", "正常", "normal"), ("3", "不确定", "unclear")],
};

/// Forms of drugs (药物剂型). From two hospital programs that agree (mark B2), labels shortened. Left
/// out is 00, raw material (原料): on a card it is a field that was never filled.
pub static DRUG_FORMS: CodeTable = CodeTable {
    standard: "WS 364.16 CV08.50.002",
    entries: &[
        ("01", "片剂", "tablet"),
        ("02", "糖衣片、包衣片、薄膜衣片", "coated tablet"),
        ("03", "咀嚼片、糖片、异型片、糖胶片", "chewable tablet"),
        ("04", "肠溶片", "enteric tablet"),
        ("05", "调释片、缓释片、控释片、长效片", "modified-release tablet"),
        ("06", "泡腾片", "effervescent tablet"),
        ("07", "舌下片", "sublingual tablet"),
        ("08", "含片、漱口片、喉片、口腔贴片", "lozenge or buccal tablet"),
        ("09", "外用片", "tablet for external use"),
        ("10", "阴道片", "vaginal tablet"),
        ("11", "水溶片、眼药水片", "soluble tablet"),
        ("12", "分散片", "dispersible tablet"),
        ("13", "纸片、膜片", "paper or film"),
        ("14", "丸剂", "pill"),
        ("15", "粉针剂", "powder for injection"),
        ("16", "注射液", "injection"),
        ("17", "注射溶媒", "solvent for injection"),
        ("18", "输液剂、血浆代用品", "infusion"),
        ("19", "胶囊剂、硬胶囊", "capsule"),
        ("20", "软胶囊、滴丸、胶丸", "soft capsule or dripping pill"),
        ("21", "肠溶胶囊", "enteric capsule"),
        ("22", "调释胶囊、控释胶囊、缓释胶囊", "modified-release capsule"),
        ("23", "溶液剂、含漱液、内服混悬液", "solution"),
        ("24", "合剂", "mixture"),
        ("25", "乳剂", "emulsion"),
        ("26", "凝胶剂、胶剂", "gel"),
        ("27", "胶浆剂", "mucilage"),
        ("28", "芳香水剂", "aromatic water"),
        ("29", "滴剂", "drops"),
        ("30", "糖浆剂", "syrup"),
        ("31", "口服液", "oral liquid"),
        ("32", "浸膏剂", "extract"),
        ("33", "流浸膏剂", "fluid extract"),
        ("34", "酊剂", "tincture"),
        ("35", "醑剂", "spirit"),
        ("36", "酏剂", "elixir"),
        ("37", "洗剂、阴道冲洗剂", "lotion or douche"),
        ("38", "搽剂、外用混悬液剂", "liniment"),
        ("39", "油剂、甘油剂", "oil or glycerite"),
        ("40", "棉胶剂", "collodion"),
        ("41", "涂膜剂", "film-forming paint"),
        ("42", "涂布剂", "paint"),
        ("43", "滴眼剂、洗眼剂", "eye drops or wash"),
        ("44", "滴鼻剂、洗鼻剂", "nasal drops or wash"),
        ("45", "滴耳剂、洗耳剂", "ear drops or wash"),
        ("46", "口腔药剂", "oral or dental preparation"),
        ("47", "灌肠剂", "enema"),
        ("48", "软膏剂", "ointment"),
        ("49", "霜剂、乳膏剂", "cream"),
        ("50", "糊剂", "paste"),
        ("51", "硬膏剂、橡皮膏", "plaster"),
        ("52", "眼膏剂", "eye ointment"),
        ("53", "散剂", "powder"),
        ("54", "颗粒剂、晶剂、干糖浆", "granules"),
        ("55", "泡腾颗粒剂", "effervescent granules"),
        ("56", "调释颗粒剂、缓释颗粒剂", "modified-release granules"),
        ("57", "气雾剂、水雾剂", "aerosol"),
        ("58", "喷雾剂", "spray"),
        ("59", "混悬雾剂", "suspension spray"),
        ("60", "吸入药剂、粉雾剂", "inhalant"),
        ("61", "膜剂", "film"),
        ("62", "海绵剂", "sponge"),
        ("63", "栓剂", "suppository"),
        ("64", "植入栓", "implant"),
        ("65", "透皮剂、贴剂、贴片", "transdermal patch"),
        ("66", "控释透皮剂、控释贴片、控释口颊片", "controlled-release patch"),
        ("67", "划痕剂", "scarification preparation"),
        ("68", "珠链", "bead chain"),
        ("69", "锭剂", "troche"),
        ("70", "微囊胶囊", "microcapsule"),
        ("71", "干混悬剂", "dry suspension"),
        ("72", "吸放剂", "gas for inhalation"),
        ("90", "试剂盒、药盒", "kit"),
        ("99", "其他剂型", "other"),
    ],
};

/// Routes of drugs (药物使用途径). Only the values on which three hospital programs agree (mark B2):
/// they differ on intravenous injection and infusion (404, 405) and on the numbers from 606 to 612,
/// which are shown as unknown.
pub static DRUG_ROUTES: CodeTable = CodeTable {
    standard: "WS 364.12 CV06.00.102",
    entries: &[
        ("1", "口服", "by mouth"),
        ("2", "直肠给药", "rectal"),
        ("3", "舌下给药", "sublingual"),
        ("4", "注射给药", "injection"),
        ("401", "皮下注射", "subcutaneous injection"),
        ("402", "皮内注射", "intradermal injection"),
        ("403", "肌肉注射", "intramuscular injection"),
        ("5", "吸入给药", "inhalation"),
        ("6", "局部用药", "local"),
        ("601", "椎管内给药", "intrathecal"),
        ("602", "关节腔内给药", "intra-articular"),
        ("603", "胸膜腔给药", "intrapleural"),
        ("604", "腹腔给药", "intraperitoneal"),
        ("605", "阴道用药", "vaginal"),
        ("699", "其他局部给药途径", "other local route"),
        ("9", "其他给药途径", "other route"),
    ],
};

/// Classes of outpatient fees (门诊费用分类). The values could not be read.
pub static OUTPATIENT_FEES: CodeTable = CodeTable { standard: "CV07.10.001", entries: &[] };
